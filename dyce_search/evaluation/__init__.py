"""Configurations and what they do on records, exactly: who leaves where, with what score, at what cost.

May import records, drawing and the basement.
"""
