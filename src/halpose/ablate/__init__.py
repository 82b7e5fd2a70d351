"""The paper's ablations, each one command: what is varied, how it is trained and compared, and what the paper found.

`catalogue` says what each is and holds the paper's numbers; `cells` trains and scores, each setting once; `comparison`
makes the table; `halpose.bench` times; `hardness` puts the closed forms beside Eq. 2 itself.
"""
