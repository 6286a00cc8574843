"""Keyword extraction on SemEval-2014 task 4 (report B): which aspect terms does a sentence about a product contain?"""
