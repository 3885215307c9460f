"""The command line, as its users meet it: most tests run the real program in a process of its own."""
