"""What every method and every space is held to, as functions: the tests hold those of the program to it, and
`python -m bench check PACKAGE` those of a package outside. A check returns, or raises `Broken` with one line."""
