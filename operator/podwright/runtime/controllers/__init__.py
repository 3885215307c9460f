"""The kinds that the engine reconciles, one controller each. Nothing outside branches on a kind's name."""
