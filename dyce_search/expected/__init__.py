"""Expected scores: what each exit's score should be on each sample, as learned from other samples; and caution.

May import evaluation, records and the basement.
"""
