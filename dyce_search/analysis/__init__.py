"""What a front, its exits and its solvers are worth: comparisons, calibration, diagnostics.

May import everything below but the runtime.
"""
