"""Models in other formats: ONNX, TorchScript, int8, each checked against PyTorch.

::

    graph        the exported function: pictures to logits and calibrated probabilities
    pictures     the pictures that an export is checked and calibrated with
    onnx_file    ONNX, and a way to run it
    torchscript  TorchScript, and a way to run it
    quantise     ONNX with 8-bit integers
    checking     the largest differences from PyTorch, and how large they may be
    whole        one export, from a kept model to a file
"""
