"""Parameters of a small net that crafts samples."""

from tests.cases import Linear

SMALL = {"module": Linear, "attack__eps": 0.1, "eps_warm_up": 0}
