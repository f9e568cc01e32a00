"""A trained model as a page that runs it in a browser: what Python gives to the page of `portanet.export`.

    fields  a field of its form for each column of a table
    rows    examples to choose from
    replay  the weights of a run's snapshots
    page    all of it, with the model in as few bits as keep its score

`TrainedModel.explore` calls `page`.
"""
