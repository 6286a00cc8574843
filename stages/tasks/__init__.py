"""Tasks are nouns: each package here tells one task's whole story. Stages know none of them by name."""
