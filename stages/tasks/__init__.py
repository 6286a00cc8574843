"""Tasks are nouns: each module here tells one task's whole story. Stages know none of them by name."""
