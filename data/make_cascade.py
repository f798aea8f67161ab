"""Makes `digits_cascade.jsonl.gz`: what three classifiers answered to handwritten digits, and how long each call took.

    python data/make_cascade.py

A cascade of whole models, small to large, as anybody would log it: one row an image and model, with its answer, its
confidence (the largest probability) and the measured processor time of that one call, which differs from call to call.
The times are those of the machine that it runs on; everything else is the same each time. Needs scikit-learn.
"""

import gzip
import json
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TRAINED_ON = 400  # of 1,797 images; the others are asked for
SEED = 0


def models() -> dict[str, object]:
    """From the smallest to the largest."""
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=1000)),
        "random forest": RandomForestClassifier(n_estimators=100, random_state=SEED),
        "extra trees": ExtraTreesClassifier(n_estimators=1000, random_state=SEED),
    }


def main() -> None:
    """Trains, asks every model for every image, one call at a time, and writes the log."""
    pixels, digits = load_digits(return_X_y=True)
    train, ask = train_test_split(np.arange(len(digits)), train_size=TRAINED_ON, stratify=digits, random_state=SEED)
    rows = []
    for name, model in models().items():
        model.fit(pixels[train], digits[train])
        for _ in range(20):  # the first calls are slower than any that follow
            model.predict_proba(pixels[ask[:1]])
        for image in ask.tolist():
            started = time.thread_time()
            probability = model.predict_proba(pixels[image : image + 1])[0]
            seconds = time.thread_time() - started
            rows.append(
                {
                    "query": image,
                    "model": name,
                    "prediction": str(probability.argmax()),
                    "label": str(digits[image]),
                    "confidence": round(float(probability.max()), 6),
                    "milliseconds": round(1000 * seconds, 3),
                }
            )
        mine = [row for row in rows if row["model"] == name]
        right = np.mean([row["prediction"] == row["label"] for row in mine])
        spent = np.array([row["milliseconds"] for row in mine])
        print(
            f"{name}: right on {100 * right:.2f} %, {spent.mean():.3f} ms a call, {np.quantile(spent, 0.99):.3f} at p99"
        )
    path = Path(__file__).parent / "digits_cascade.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode(), mtime=0))
    print(f"wrote {path.name}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
