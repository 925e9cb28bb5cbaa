"""Answers as the Render API would, on one machine and on a virtual clock, without an account.

It imports nothing else of this project: two independent readings of the same public facts that must agree
are worth more than one shared reading.
"""
