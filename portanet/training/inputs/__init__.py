"""What `fit` is given, checked and turned into what training takes: settings, rows, labels.

    settings  named, arguments: names stand for values, and impossible values are refused
    rows      arrays, frames: arrays of any library, and columns by name; offsets: what float32 would merge;
              ends: whether rows and loss fit the model
    labels    units, label_checks, tasks: what a loss takes as labels, and what a model's outputs stand for; classes,
              labels: names of classes as numbers; row_weights: how much each row counts
    both      validation: rows held out, with their labels

Nothing in this folder knows a trained model.
"""
