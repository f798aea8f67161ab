"""In which order to ask the models of a cascade, and which of them at all: stages, their search, the front.

May import search and what is below it.
"""
