"""Judges every question from stored evaluations and writes claims.json and the page."""
