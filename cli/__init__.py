"""The `zhengyin` command: one module per command group, and the composition root.

Here, and only here, rooms are put together. Comes in: argv and a home folder. Goes out: data on stdout, messages
and progress on stderr, exit codes (2 usage, 1 anything else that went wrong, 3 and 4 from verify).
"""
