"""Remakes published results and compares: `remaking` runs the stages in a scratch folder, `comparison` judges."""
