#!/usr/bin/env python3
"""Measures what questions by several sounds, and "less of this", do to the neighbours' classes.

Input is the label file and the app's own vectors (`soundkin embed --json` of a model with a head). Vectors are
compared as the app compares them: head and raw part of unit length each, joined at the head's usual weight.

Less: a sound with a neighbour of another class among its ten nearest asks again with less of that neighbour, at several
strengths. Printed are the shares of the ten that have the asking sound's class and the unwanted neighbour's class.
Several: the mean of one, two and four sounds of a class, and the share of the five nearest that have it.
"""

import argparse
import json
import random
from collections import Counter

import numpy as np

from evaluate_models import read_labels
from manifest import load_manifest

STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


def nearest(vectors, weights, head, question, without, count):
    """Returns the rows nearest to a question whose parts, the first `head` numbers and the rest, are scaled to unit length."""
    parts = [part / np.linalg.norm(part) for part in np.split(question, [head])]
    scores = (vectors * weights) @ np.concatenate(parts)
    scores[without] = -np.inf
    return np.argsort(-scores)[:count]


def less(vectors, weights, head, labels, strength):
    """Returns the mean shares of the asking and of the unwanted class among the ten nearest."""
    choice, own, unwanted = random.Random(1), [], []
    for row, vector in enumerate(vectors):
        others = [n for n in nearest(vectors, weights, head, vector, [row], 10) if labels[n] != labels[row]]
        if others:
            other = choice.choice(others)
            found = labels[nearest(vectors, weights, head, vector - strength * vectors[other], [row, other], 10)]
            own.append(np.mean(found == labels[row]))
            unwanted.append(np.mean(found == labels[other]))
    return len(own), np.mean(own), np.mean(unwanted)


def several(vectors, weights, head, labels, count):
    """Returns the mean share of a class among the five nearest to the mean of `count` of its sounds."""
    choice, shares = random.Random(1), []
    classes = sorted(label for label, members in Counter(labels).items() if members >= 9)
    for label in classes * 50:
        asked = choice.sample(list(np.flatnonzero(labels == label)), 4)
        found = nearest(vectors, weights, head, vectors[asked[:count]].mean(axis=0), asked, 5)
        shares.append(np.mean(labels[found] == label))
    return np.mean(shares)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--from-json", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--without", default="gcin-voice", help="a corpus to leave out")
    arguments = parser.parse_args()
    classes = read_labels(arguments.labels, {arguments.without})
    with open(arguments.from_json, encoding="utf-8") as stream:
        embeddings = [e for e in json.load(stream)["embeddings"] if e["path"] in classes]
    vectors = np.array([e["head"] + e["raw"] for e in embeddings])
    labels = np.array([classes[e["path"]][0] for e in embeddings])
    share, head = load_manifest(arguments.model)["head"]["weight"], len(embeddings[0]["head"])
    weights = np.repeat([share, 1 - share], [head, vectors.shape[1] - head])
    for strength in STRENGTHS:
        asked, own, unwanted = less(vectors, weights, head, labels, strength)
        print(f"less of a neighbour, {strength:.1f} of it: own class {own:.3f}, its class {unwanted:.3f} ({asked} questions)")
    for count in (1, 2, 4):
        print(f"{count} of a class: P@5 {several(vectors, weights, head, labels, count):.3f}")


if __name__ == "__main__":
    main()
