"""Batch norms folded into the convolutions before them, which only inference can do."""

from timm.layers import BatchNormAct2d, Conv2dSame
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mixqual.errors import BackboneError
from mixqual.networks.graph import graph_of

# Not their other subclasses, which may do anything with the weights (StdConv2d normalises them).
_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMS = (nn.BatchNorm2d, BatchNormAct2d)


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """A network that computes the same in inference, up to rounding, with fewer passes over memory.

    In inference a batch norm is one factor and one summand a channel, which the convolution's
    weights can take in. The network itself stays as it is, and is what is returned if it has no
    such pair, or if torch.fx cannot trace it. It has to be in inference mode.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    try:
        graph = graph_of(network, {nn.BatchNorm2d})
    except BackboneError:
        return network
    # It shares all modules with the network but those that are set here.
    folded = fx.GraphModule(network, graph, class_name="Folded")
    pairs = _pairs(folded)
    for convolution, norm in pairs:
        before, after = folded.get_submodule(convolution), folded.get_submodule(norm)
        assert isinstance(before, nn.Conv2d)
        assert isinstance(after, nn.BatchNorm2d)
        folded.set_submodule(convolution, fuse_conv_bn_eval(before, after))
        folded.set_submodule(norm, _rest(after))
    return folded.eval() if pairs else network


def _pairs(traced: fx.GraphModule) -> list[tuple[str, str]]:
    """The paths of each convolution and batch norm of which nothing else sees what is between."""
    called = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    pairs = []
    for node in traced.graph.nodes:
        source = node.args[0] if node.op == "call_module" and len(node.args) == 1 else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        paths = str(source.target), str(node.target)
        before, after = (traced.get_submodule(path) for path in paths)
        if type(before) not in _CONVOLUTIONS or type(after) not in _NORMS:
            continue
        # Without running statistics a norm depends on the batch; a module may be called twice.
        if after.track_running_stats and all(called.count(path) == 1 for path in paths):
            pairs.append(paths)
    return pairs


def _rest(norm: nn.BatchNorm2d) -> nn.Module:
    """What a norm does besides: timm's have an activation."""
    if isinstance(norm, BatchNormAct2d):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity()
