"""A module that writes down what it is trained on."""

from tests.cases import Linear


class Order(Linear):
    """Writes down the first feature of the training samples in turn."""

    def forward(self, x):
        if self.training:
            self.seen = [*getattr(self, "seen", []), *x[:, 0].tolist()]
        return super().forward(x)
