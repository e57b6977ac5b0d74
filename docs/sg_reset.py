"""What sphinx-gallery does before each example, so that its page comes out the same again."""

import random

import numpy as np
import torch


def seed(gallery_conf, fname):
    """Seed the global generators and keep torch to one thread."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
