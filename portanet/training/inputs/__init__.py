"""The arguments of `fit`, checked and converted: settings, rows and labels.

    settings    named: optimizers, losses and schedules by name; arguments: validation of all settings
    rows        arrays: arrays of any library; frames: columns by name; offsets: columns centred in float64, because
                float32 would merge their values; ends: whether rows and loss fit the model
    labels      tasks: the labels that a loss takes, and what a model's outputs mean; classes, labels: class names as
                numbers; label_checks, units: numeric labels and their scale; row_weights: sample and class weights
    validation  rows held out, with their labels

Nothing in this folder imports the trained model.
"""
