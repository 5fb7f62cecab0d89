"""Modules beside PyTorch's: what they print, save and compute."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import tracefuse as tf

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)

LAYERS = """
Linear(3, 4); Linear(3, 4, bias=False); Bilinear(2, 3, 4); Identity(1, x=2)
ReLU(); ReLU(True); ReLU6(); LeakyReLU(0.2); LeakyReLU(0.1, True); ELU(); SELU(True)
CELU(); GELU(); GELU("tanh"); SiLU(); SiLU(inplace=True); Mish(); Softplus()
Hardtanh(); Hardtanh(-2, 2, True); Hardswish(True); Hardsigmoid(); Sigmoid(); Tanh()
LogSigmoid(); Softsign(); Tanhshrink(); Hardshrink(); Softshrink(0.3)
Threshold(0.1, 20); Threshold(0.1, 20, True); GLU(); PReLU(); PReLU(3)
Softmax(1); Softmax(); LogSoftmax(-1); Softmin(1); Softmax2d()
Dropout(); Dropout(0.2, True); Dropout1d(); Dropout2d(0.1); Dropout3d()
LayerNorm(3); LayerNorm([2, 3], elementwise_affine=False); LayerNorm(3, bias=False)
RMSNorm(4); GroupNorm(2, 4); GroupNorm(2, 4, affine=False)
BatchNorm1d(3); BatchNorm2d(3, affine=False); BatchNorm3d(2, momentum=None)
InstanceNorm1d(3); InstanceNorm2d(3, affine=True, track_running_stats=True)
Conv1d(1, 2, 3, dilation=2); Conv2d(1, 2, 3); Conv2d(1, 2, (3, 5), padding="same")
Conv2d(4, 4, 3, 2, 1, 1, 2, bias=False, padding_mode="reflect"); Conv3d(1, 2, 3)
ConvTranspose1d(1, 2, 3); ConvTranspose2d(1, 2, 3, 2, 1, 1); ConvTranspose3d(1, 2, 3)
MaxPool1d(3); MaxPool2d(2); MaxPool2d((2, 3), 1, ceil_mode=True); MaxPool3d(2)
AvgPool1d(2, padding=1); AvgPool2d(2); AvgPool2d(2, count_include_pad=False)
AvgPool3d(2); AdaptiveAvgPool1d(2); AdaptiveAvgPool2d((1, None)); AdaptiveMaxPool2d(3)
Flatten(); Flatten(0, 1); Unflatten(1, (2, 3)); Embedding(3, 4)
Embedding(3, 4, padding_idx=-1); LazyLinear(3); LazyLinear(3, bias=False)
LazyConv2d(3, 3); LazyConv1d(3, 3, stride=2, padding=1); LazyBatchNorm2d()
CrossEntropyLoss(); NLLLoss(); MSELoss(); L1Loss(); SmoothL1Loss(); HuberLoss()
BCELoss(); BCEWithLogitsLoss(); KLDivLoss(); CosineSimilarity(); PairwiseDistance()
TripletMarginLoss(); MarginRankingLoss(); PoissonNLLLoss(); GaussianNLLLoss()
Upsample(scale_factor=2); Upsample((3, 4)); PixelShuffle(2); PixelUnshuffle(2)
Unfold(3); Fold(4, 2); ZeroPad2d(1); ReflectionPad2d((1, 2, 0, 1))
ConstantPad1d(1, 2.0); ReplicationPad1d(2); CircularPad2d(1)
Sequential(); ModuleList(); ModuleDict(); Sequential(Linear(2, 3), ReLU())
ModuleList([Linear(2, 3), Linear(2, 3), ReLU()]); ModuleDict({"a": ReLU()})
ModuleList([Sequential(ReLU(), Tanh()), Sequential(ReLU(), Tanh())])
Sequential(OrderedDict(conv=Conv2d(1, 2, 3), rest=Sequential(ReLU(), MaxPool2d(2))))
"""
EACH = [
    layer.strip() for layer in LAYERS.replace("\n", ";").split(";") if layer.strip()
]


def build(module, text):
    names = {**vars(module.nn), "OrderedDict": OrderedDict, "nn": module.nn}
    return eval(text, names)


def same_weights(ours, theirs):
    state = {k: tf.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    assert str(ours.load_state_dict(state)) == "<All keys matched successfully>"


@pytest.mark.parametrize("layer", EACH)
def test_what_they_print(layer):
    assert repr(build(tf, layer)) == repr(build(torch, layer))


@pytest.mark.parametrize("layer", [e for e in EACH if "Lazy" not in e])
def test_what_they_save(layer):
    def shapes(module):
        state = build(module, layer).state_dict()
        return {
            k: (tuple(v.shape), str(v.dtype).split(".")[1]) for k, v in state.items()
        }

    assert list(shapes(tf).items()) == list(shapes(torch).items())


RUNS = [
    ("Linear(3, 4)", (2, 5, 3)),
    ("Conv1d(2, 4, 3, padding=1)", (2, 2, 6)),
    ("Conv2d(2, 4, 3, 2, 1, groups=2)", (2, 2, 6, 7)),
    ("Conv2d(2, 4, 3, padding=1, padding_mode='circular')", (2, 2, 6, 7)),
    ("Conv2d(2, 4, 3, padding='same', padding_mode='reflect')", (2, 2, 6, 7)),
    ("ConvTranspose2d(2, 4, 3, 2, 1, 1)", (2, 2, 4, 4)),
    ("BatchNorm1d(3)", (4, 3)),
    ("BatchNorm1d(3)", (4, 3, 5)),
    ("BatchNorm2d(3, momentum=None)", (4, 3, 2, 5)),
    ("BatchNorm2d(3, affine=False, momentum=0.3)", (4, 3, 2, 5)),
    ("BatchNorm2d(3, track_running_stats=False)", (4, 3, 2, 5)),
    ("InstanceNorm2d(3)", (4, 3, 2, 5)),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", (4, 3, 2, 5)),
    ("InstanceNorm2d(3)", (3, 2, 5)),
    ("LayerNorm(5)", (4, 5)),
    ("GroupNorm(2, 4)", (3, 4, 5)),
    ("RMSNorm(5)", (4, 5)),
    ("PReLU(3)", (4, 3, 5)),
    ("Softmax2d()", (2, 3, 4, 5)),
    ("Softmax()", (2, 3)),
    ("Sequential(Flatten(), Linear(6, 3), ReLU(True))", (2, 3, 2)),
    ("Sequential(Conv2d(1, 3, 3), BatchNorm2d(3), ReLU(), MaxPool2d(2), Flatten())",
     (2, 1, 8, 8)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer, shape", RUNS)
def test_training_and_evaluating(layer, shape):
    ours, theirs = build(tf, layer), build(torch, layer)
    same_weights(ours, theirs)
    for mode in (True, True, False):
        x = RNG.standard_normal(shape).astype(np.float32)
        a, b = tf.from_numpy(x.copy()), torch.from_numpy(x.copy())
        a, b = a.requires_grad_(), b.requires_grad_()
        y, z = ours.train(mode)(a * 1), theirs.train(mode)(b * 1)
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), 1e-4, 1e-5)
        (y**3).sum().backward(), (z**3).sum().backward()
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-3, 1e-4)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), 1e-3, 1e-3), name
    for (name, p), q in zip(ours.state_dict().items(), theirs.state_dict().values()):
        np.testing.assert_allclose(p.numpy(), q.numpy(), 1e-5, 1e-6), name


class Fan:
    """The same attribute tests on both libraries' modules."""

    def __init__(self, module):
        self.nn, self.zeros = module.nn, module.zeros

    def net(self):
        nn = self.nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(2, 3)
                self.bn = nn.BatchNorm1d(3)

        return Net()


def message(do):
    with pytest.raises(Exception) as caught:
        do()
    text = str(caught.value)
    for word in ("torch.nn.modules.linear.", "tracefuse.api.nn.modules.linear."):
        text = text.replace(word, "")
    text = text.replace("tracefuse.", "torch.").replace("nn.Buffer, Tensor", "Tensor")
    return caught.type.__mro__[-4:], text


def load(change, strict=True):
    def do(fan):
        net = fan.net()
        state = net.state_dict()
        change(state, fan)
        net.load_state_dict(state, strict)

    return do


MISTAKES = {
    "missing": load(lambda state, fan: state.pop("fc.weight")),
    "unexpected": load(lambda state, fan: state.update(odd=fan.zeros(1))),
    "deep": load(lambda state, fan: state.update({"a.b.c": fan.zeros(1)})),
    "size": load(lambda state, fan: state.update({"fc.weight": fan.zeros(3, 5)})),
    "several": load(
        lambda state, fan: [
            state.update({"fc.weight": fan.zeros(3, 5), "x": fan.zeros(1)}),
            state.pop("bn.running_mean"),
        ]
    ),
    "not strict": load(
        lambda state, fan: state.update({"fc.bias": fan.zeros(4)}), strict=False
    ),
    "attribute": lambda fan: fan.net().nothing,
    "empty": lambda fan: fan.net().add_module("", fan.nn.ReLU()),
    "taken": lambda fan: fan.net().register_buffer("forward", fan.zeros(1)),
    "submodule": lambda fan: fan.net().get_submodule("fc.none"),
    "no module": lambda fan: fan.net().get_submodule("fc.weight"),
    "parameter": lambda fan: fan.net().get_parameter("fc.none"),
    "mode": lambda fan: fan.net().train("yes"),
    "forward": lambda fan: fan.net()(1),
    "mapping": lambda fan: fan.net().load_state_dict([1]),
    "groups": lambda fan: fan.nn.Conv2d(3, 4, 3, groups=2),
    "same": lambda fan: fan.nn.Conv2d(3, 4, 3, padding="same", stride=2),
    "one value": lambda fan: fan.net().bn(fan.zeros(1, 3)),
    "rank": lambda fan: fan.nn.BatchNorm2d(3)(fan.zeros(2, 3)),
    "probability": lambda fan: fan.nn.Dropout(1.5),
    "reduction": lambda fan: fan.nn.functional.mse_loss(
        fan.zeros(2), fan.zeros(2), reduction="all"
    ),
    "bce sizes": lambda fan: fan.nn.functional.binary_cross_entropy_with_logits(
        fan.zeros(2), fan.zeros(3)
    ),
    "batch size": lambda fan: fan.nn.functional.cross_entropy(
        fan.zeros(2, 3), fan.zeros(4).long()
    ),
    "slope": lambda fan: fan.nn.init.calculate_gain("odd"),
    "fan": lambda fan: fan.nn.init.xavier_normal_(fan.zeros(2)),
    "index": lambda fan: fan.nn.Sequential(fan.nn.ReLU())[3],
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_same_mistake_has_the_same_message(mistake):
    do = MISTAKES[mistake]
    ours, theirs = message(lambda: do(Fan(tf))), message(lambda: do(Fan(torch)))
    assert ours == theirs
