"""The vocabulary of limits, written once."""

USUAL_DROPS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05)  # of accuracy, for which tables give the cost
