"""`python -m tests.soak`: the program under bad luck, with counts and seeds. Small samples of it are in the tests."""
