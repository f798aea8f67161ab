"""The page to send: one self-contained HTML file about a front.

May import analysis and what is below it.
"""
