"""The architectures that people bring, tiny and with random weights."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

__all__ = ["ARCHITECTURES", "FULL", "Architecture"]

N_CLASSES = 3
MODULE_FUNCTIONS = frozenset({"linearize", "layer_spectra"})


@dataclass(frozen=True)
class Architecture:
    """A model of the kind that people bring.

    Parameters
    ----------
    name : str
        What the table calls it.
    make : callable
        Makes it anew; a torch module, or a fitted estimator.
    shape : tuple
        Shape of one sample.
    needs : str or None
        Package that must be installed.
    may_refuse : frozenset of str
        Functions that may refuse it; every other must be right.
    gradient : bool
        Whether a gradient reaches the input.
    kind : {"module", "skorch", "pipeline", "classifier"}
        What is made.
    """

    name: str
    make: Callable
    shape: tuple
    needs: str | None = None
    may_refuse: frozenset = MODULE_FUNCTIONS
    gradient: bool = True
    kind: str = "module"

    @property
    def installed(self):
        return self.needs is None or importlib.util.find_spec(self.needs) is not None

    def build(self):
        """Make it, always with the same weights."""
        torch.manual_seed(0)
        np.random.seed(0)
        made = self.make()
        return made.eval() if isinstance(made, nn.Module) else made

    def samples(self, n=6):
        """Samples in [0, 1], float64 numbers that float32 holds exactly."""
        rng = np.random.default_rng(1)
        return rng.uniform(0.1, 0.9, (n, *self.shape)).astype(np.float32).astype(np.float64)


# -- torchvision ------------------------------------------------------------------------------


def _resnet18():
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=N_CLASSES, width_per_group=64)


def _vgg11_bn():
    from torchvision.models.vgg import VGG, make_layers

    with torch.device("meta"):  # its classifier of 120 million weights is replaced below
        net = VGG(nn.Identity(), num_classes=N_CLASSES, init_weights=False)
    net.features = make_layers([8, "M", 16, "M", 16, 16, "M", 16, 16, "M"], batch_norm=True)
    net.classifier = nn.Sequential(
        nn.Linear(16 * 49, 32), nn.ReLU(True), nn.Dropout(0.0), nn.Linear(32, N_CLASSES)
    )
    return net


def _densenet121():
    from torchvision.models import DenseNet

    return DenseNet(
        growth_rate=4, block_config=(2, 2, 1), num_init_features=8, num_classes=N_CLASSES
    )


def _mobilenet_v3_small():
    from torchvision.models import mobilenet_v3_small

    return mobilenet_v3_small(width_mult=0.25, num_classes=N_CLASSES, dropout=0.0)


def _efficientnet_b0():
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig

    blocks = [
        MBConvConfig(1, 3, 1, 8, 8, 1),
        MBConvConfig(4, 3, 2, 8, 12, 1),
        MBConvConfig(4, 5, 2, 12, 16, 2),
    ]
    return EfficientNet(
        blocks, dropout=0.0, stochastic_depth_prob=0.0, num_classes=N_CLASSES, last_channel=32
    )


def _convnext_tiny():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    blocks = [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)]
    return ConvNeXt(blocks, stochastic_depth_prob=0.0, layer_scale=0.5, num_classes=N_CLASSES)


def _swin_t():
    from torchvision.models import SwinTransformer

    return SwinTransformer(
        patch_size=[4, 4],
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=[4, 4],
        stochastic_depth_prob=0.0,
        num_classes=N_CLASSES,
    )


def _with_head(net):
    """Weights for a head that torchvision starts at zero, which would make the logits constant."""
    nn.init.normal_(net.heads.head.weight, std=0.3)
    return net


def _vit_b_16():
    from torchvision.models import VisionTransformer

    return _with_head(
        VisionTransformer(
            image_size=32,
            patch_size=8,
            num_layers=2,
            num_heads=2,
            hidden_dim=16,
            mlp_dim=32,
            num_classes=N_CLASSES,
        )
    )


def _vision(name, **options):
    def make():
        import torchvision

        net = getattr(torchvision.models, name)(num_classes=N_CLASSES, **options)
        return _with_head(net) if name.startswith("vit") else net

    return make


# -- modules that people write themselves -------------------------------------------------------


class OwnStateLSTM(nn.Module):
    """An LSTM that makes its own zero state, in torch's default dtype."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(5, 8, batch_first=True), nn.Linear(8, N_CLASSES)

    def forward(self, x):
        h, c = torch.zeros(1, len(x), 8), torch.zeros(1, len(x), 8)
        return self.head(self.lstm(x, (h, c))[0][:, -1])


class GRU(nn.Module):
    """Two layers of a bidirectional GRU, and the mean over time."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(12, N_CLASSES)

    def forward(self, x):
        return self.head(self.gru(x)[0].mean(1))


class Transformer(nn.Module):
    """An encoder with positions that it holds as a buffer."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.embed, self.encoder = nn.Linear(5, 8), nn.TransformerEncoder(layer, 2)
        self.register_buffer("positions", torch.randn(7, 8))
        self.head = nn.Linear(8, N_CLASSES)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x) + self.positions)[:, 0])


class ConvNet1d(nn.Module):
    """A 1-D CNN for signals, which flattens by ``view``."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(2, 6, 5, padding=2),
            nn.BatchNorm1d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(2),
            nn.Conv1d(6, 8, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(64, N_CLASSES)

    def forward(self, x):
        h = self.body(x)
        return self.head(h.view(h.size(0), -1))


class TwoBranches(nn.Module):
    """A net that splits its features into two branches and joins them."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(6, 8)
        self.deep = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(16, N_CLASSES)

    def forward(self, x):
        left, right = x.chunk(2, dim=1)
        return self.head(torch.cat([torch.relu(self.wide(left)), self.deep(right)], 1))


class DeepSets(nn.Module):
    """A net over a set of points: each by itself, then sum and maximum."""

    def __init__(self):
        super().__init__()
        self.each = nn.Sequential(nn.Linear(3, 8), nn.ELU(), nn.Linear(8, 8))
        self.all = nn.Sequential(nn.Linear(16, 8), nn.SiLU(), nn.Linear(8, N_CLASSES))

    def forward(self, x):
        h = self.each(x)
        return self.all(torch.cat([h.mean(1), h.amax(1)], 1))


class FourierNet(nn.Module):
    """An FNO-like net with complex weights between two real Fourier transforms."""

    def __init__(self):
        super().__init__()
        self.lift = nn.Conv1d(1, 4, 1)
        self.modes = nn.Parameter(torch.randn(4, 4, 5, dtype=torch.cfloat) / 2)
        self.head = nn.Linear(4 * 16, N_CLASSES)

    def forward(self, x):
        h = self.lift(x)
        spectrum = torch.fft.rfft(h)[..., :5]
        mixed = torch.einsum("bim,iom->bom", spectrum, self.modes)
        h = torch.nn.functional.gelu(h + torch.fft.irfft(mixed, n=16))
        return self.head(h.flatten(1))


# -- timm and Hugging Face -----------------------------------------------------------------------


def _timm(name, **options):
    def make():
        import timm

        return timm.create_model(name, pretrained=False, num_classes=N_CLASSES, **options)

    return make


def _hugging_face_vit():
    from transformers import ViTConfig, ViTForImageClassification

    return ViTForImageClassification(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            num_labels=N_CLASSES,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=0.3,
        )
    )


class BertOnEmbeddings(nn.Module):
    """BERT that takes embeddings in place of codes, and returns Hugging Face's own output."""

    def __init__(self):
        from transformers import BertConfig, BertForSequenceClassification

        super().__init__()
        self.bert = BertForSequenceClassification(
            BertConfig(
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                vocab_size=20,
                max_position_embeddings=8,
                num_labels=N_CLASSES,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                initializer_range=0.3,
            )
        )

    def forward(self, x):
        return self.bert(inputs_embeds=x)


# -- estimators --------------------------------------------------------------------------------


def table(n_classes=N_CLASSES, n=90):
    """Four features, of which the first decides."""
    rng = np.random.default_rng(3)
    X = rng.uniform(0, 1, (n, 4)).astype(np.float32)
    return X, np.digitize(X[:, 0], np.linspace(0, 1, n_classes + 1)[1:-1])


class OneLogit(nn.Module):
    """What skorch's binary classifier wants: one logit, shape (n,)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)


def _skorch_binary():
    from skorch import NeuralNetBinaryClassifier

    X, y = table(2)
    return NeuralNetBinaryClassifier(
        OneLogit, max_epochs=3, lr=0.5, train_split=None, verbose=0
    ).fit(X, y.astype(np.float32))


def _xgboost():
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1).fit(*table())


def _lightgbm():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1).fit(*table())


def _catboost(n_classes):
    def make():
        from catboost import CatBoostClassifier

        model = CatBoostClassifier(
            iterations=5, depth=2, verbose=0, thread_count=1, allow_writing_files=False
        )
        return model.fit(*table(n_classes))

    return make


def _imbalanced(over):
    def make():
        from imblearn.over_sampling import RandomOverSampler
        from imblearn.pipeline import make_pipeline
        from imblearn.under_sampling import RandomUnderSampler
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        sampler = RandomOverSampler if over else RandomUnderSampler
        pipeline = make_pipeline(StandardScaler(), sampler(random_state=0), LogisticRegression())
        return pipeline.fit(*table())

    return make


IMAGE, SEQUENCE = (3, 32, 32), (7, 5)
# torch has no second derivative of its hard sigmoid.
NO_SECOND_DERIVATIVE = MODULE_FUNCTIONS | {"hessian_norm", "JacobianRegNet"}

ARCHITECTURES = [
    Architecture("ResNet-18", _resnet18, IMAGE),
    Architecture("VGG-11 with BatchNorm", _vgg11_bn, IMAGE),
    Architecture("DenseNet-121", _densenet121, IMAGE),
    Architecture("MobileNetV3 small", _mobilenet_v3_small, IMAGE, may_refuse=NO_SECOND_DERIVATIVE),
    Architecture("EfficientNet-B0", _efficientnet_b0, IMAGE),
    Architecture("ConvNeXt tiny", _convnext_tiny, IMAGE),
    Architecture("Swin-T", _swin_t, IMAGE),
    Architecture("ViT-B/16", _vit_b_16, IMAGE),
    Architecture("LSTM, own zero state", OwnStateLSTM, SEQUENCE),
    Architecture("GRU", GRU, SEQUENCE),
    Architecture("Transformer encoder", Transformer, SEQUENCE),
    Architecture("1-D CNN", ConvNet1d, (2, 16)),
    Architecture("two branches", TwoBranches, (12,)),
    Architecture("DeepSets", DeepSets, (6, 3)),
    Architecture("Fourier neural operator", FourierNet, (1, 16)),
    Architecture("timm ViT", _timm("test_vit", img_size=32), IMAGE, "timm"),
    Architecture("timm EfficientNet", _timm("test_efficientnet"), IMAGE, "timm"),
    Architecture("timm ByobNet", _timm("test_byobnet"), IMAGE, "timm"),
    Architecture("timm NFNet", _timm("test_nfnet"), IMAGE, "timm"),
    Architecture("timm ConvNeXt", _timm("test_convnext"), IMAGE, "timm"),
    Architecture("Hugging Face ViT", _hugging_face_vit, IMAGE, "transformers"),
    Architecture("BERT on embeddings", BertOnEmbeddings, (6, 16), "transformers"),
    Architecture("skorch binary classifier", _skorch_binary, (4,), kind="skorch"),
    Architecture("XGBoost", _xgboost, (4,), "xgboost", gradient=False, kind="classifier"),
    Architecture("LightGBM", _lightgbm, (4,), "lightgbm", gradient=False, kind="classifier"),
    Architecture(
        "CatBoost, 2 classes", _catboost(2), (4,), "catboost", gradient=False, kind="classifier"
    ),
    Architecture(
        "CatBoost, 3 classes", _catboost(3), (4,), "catboost", gradient=False, kind="classifier"
    ),
    Architecture("over-sampled pipeline", _imbalanced(True), (4,), "imblearn", kind="pipeline"),
    Architecture("under-sampled pipeline", _imbalanced(False), (4,), "imblearn", kind="pipeline"),
]

# The same nets at their full size, for runs that may take minutes.
FULL = [
    Architecture("resnet18", _vision("resnet18"), (3, 64, 64)),
    Architecture("vgg11_bn", _vision("vgg11_bn", dropout=0.0), IMAGE),
    Architecture("densenet121", _vision("densenet121"), IMAGE),
    Architecture(
        "mobilenet_v3_small",
        _vision("mobilenet_v3_small", dropout=0.0),
        (3, 64, 64),
        may_refuse=NO_SECOND_DERIVATIVE,
    ),
    Architecture(
        "efficientnet_b0",
        _vision("efficientnet_b0", dropout=0.0, stochastic_depth_prob=0.0),
        (3, 64, 64),
    ),
    Architecture("convnext_tiny", _vision("convnext_tiny", stochastic_depth_prob=0.0), IMAGE),
    Architecture("swin_t", _vision("swin_t", stochastic_depth_prob=0.0), (3, 64, 64)),
    Architecture("vit_b_16", _vision("vit_b_16", image_size=32), IMAGE),
]
