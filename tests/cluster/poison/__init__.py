"""The poison suite: what one namespace can do on purpose must not harm another one or the operator.

`memory` confines an operator to what its Deployment allows, `poisons` are the attacks, `good_jobs` measures how fast another
namespace's jobs finish while the operator is killed again and again; `test_poison_suite` puts them together on a cluster of
its own for each poison, since rates are compared.
"""
