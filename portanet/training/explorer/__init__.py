"""A trained model as an HTML page that runs it in a browser: the data that `portanet.export` puts into the page.

    fields  the form: a field for each column of a table
    rows    example rows to choose from
    replay  the weights of a run's snapshots
    page    the page itself, with weights in the lowest precision that keeps the score

`TrainedModel.explore` calls `page.explore`.
"""
