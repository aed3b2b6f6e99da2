"""The graph, its jobs, and the command line.

``graph`` wires the stages once; ``archive`` and ``live`` are the jobs, ``analysis`` the same from
Python. ``cli`` and ``commands`` are what a user types.
"""
