"""
Why surfaces of the cross-entropy go blank
==========================================

The loss of a confident network is nearly zero and nearly flat. A picture of it shows nothing, an
attack on it gets no gradient, and a penalty on its gradient has no effect. The decision function
S keeps its gradient [1]_.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearn_robust import NaturalNet
from sklearn_robust import _functional as F
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.metrics import decision_margin, jacobian_norm
from sklearn_robust.modules import MLP
from sklearn_robust.plotting import DecisionSurfaceDisplay

# %%
# A table
# -------
# The logits of a sample of the first class are (s, 0, ..., 0), ten in all. Then S = s, and the
# cross-entropy is log(1 + 9 exp(-s)).
s = np.arange(-1, 9)
z = torch.zeros(10, 10, dtype=torch.float64)
z[:, 0] = torch.tensor(s)
z.requires_grad_(True)
y = torch.zeros(10, dtype=torch.int64)
loss = F.cross_entropy(z, y)
gradient = F.input_gradient(loss, z)[:, 0]
print(" S   cross-entropy   its derivative by the first logit")
for row in zip(s, loss.tolist(), gradient.tolist(), strict=True):
    print("{:2d} {:12.3f} {:16.4f}".format(*row))
assert np.allclose(loss.detach(), np.log1p(9 * np.exp(-s)))

figure, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.plot(s, loss.detach(), "o-", color="#D55E00", label="cross-entropy")
ax.plot(s, -s, "s-", color="#0072B2", label="-S")
ax.set(xlabel="decision function S", ylabel="loss of the attack", ylim=(-8.5, 3.8))
ax.legend()

# %%
# In single precision the cross-entropy is exactly flat if S exceeds about 19. Its gradient is
# computed from probabilities, and 1 - p is rounded to 0:
sure = torch.zeros(10)
sure[0] = 20.0
sure.requires_grad_(True)
(gradient,) = torch.autograd.grad(F.cross_entropy(sure[None], y[:1]).sum(), sure)
print(f"derivative of the loss at S = 20: {gradient[0].item():g}")
assert gradient[0] == 0

# %%
# A surface
# ---------
# A network that is trained for many epochs is that confident about most digits. The pictures show
# the same plane through one of them, once in cross-entropy and once in S:
X, labels = load_digits_images()
X_train, X_test, y_train, y_test = X[:1400], X[1400:], labels[:1400], labels[1400:]
net = NaturalNet(MLP, max_epochs=60, lr=3e-3, random_state=0).fit(X_train, y_train)
margin = decision_margin(net, X_test, y_test)
index = int(np.argsort(margin)[-40])
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="compressed")
display = DecisionSurfaceDisplay.from_estimator(
    net,
    X_test,
    y_test,
    index=index,
    radius=0.15,
    random_state=0,
    response="loss",
    ax=left,
    name="loss",
)
display.plot(response="margin", ax=right)
right.set_title("decision function")

# %%
# In the part of the plane where S exceeds 5, the loss changes by less than 0.06, and S by more than
# ten:
inside = display.margin > 5
print(
    f"range there: loss {np.ptp(display.loss[inside]):.3f}, S {np.ptp(display.margin[inside]):.1f}"
)
assert np.ptp(display.loss[inside]) < 0.06
assert np.ptp(display.margin[inside]) > 10

# %%
# An attack on the loss, or a penalty on its gradient, starts from this small gradient. The ratio of
# the gradient norms of the loss and of S over the test images is
ratio = jacobian_norm(net, X_test, y_test, of="loss") / jacobian_norm(net, X_test, y_test)
print(f"median {np.median(ratio):.1e}, smallest {ratio.min():.1e}")
assert np.median(ratio) < 0.01

# %%
# References
# ----------
# .. [1] F. Yu, C. Liu, Y. Wang, L. Zhao and X. Chen, "Interpreting adversarial robustness: a view
#    from decision surface in input space", arXiv 1810.00144, appendix A.1.
