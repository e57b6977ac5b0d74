"""Planes through input or weight space, and the surfaces over them."""
