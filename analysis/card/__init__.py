"""The card: one page about one method, as HTML and PDF, that an author attaches to a submission.

`content.py` decides what it says, from records and scores; `page.py` and `pdf.py` lay the same content out.
"""
