"""Statements of reports A, B, C, D and E that need neither a data set nor a trained network.

Each is a function that takes a seed and returns what it computed. What a report states, and whether it holds, stands
in reports/ with all other questions; here things are built, run and counted. Only consistency.py works on numbers that
a report prints.
"""
