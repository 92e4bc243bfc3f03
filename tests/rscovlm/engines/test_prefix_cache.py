"""Counters of vLLM's prefix cache, as its server and its library state them."""

from types import SimpleNamespace

from rscovlm.engines.prefix_cache import HITS, QUERIES, PrefixCache

TEXT = """\
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="nano"} 1200.0
vllm:prefix_cache_queries_total{engine="1",model_name="nano"} 1.2e+03
vllm:prefix_cache_queries_created{engine="0",model_name="nano"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="nano"} 384.0
vllm:prefix_cache_hits_total{engine="1",model_name="nano"} 216.0
vllm:external_prefix_cache_hits_total{engine="0",model_name="nano"} 7.0
vllm:mm_cache_hits_total{engine="0",model_name="nano"} 9.0
"""


def test_a_servers_counters_are_those_of_all_its_engines_and_no_other_caches():
    found = PrefixCache.in_text(TEXT)
    assert found == PrefixCache(queries=2400, hits=600)
    assert str(found) == "600 of 2,400 prompt tokens from the prefix cache (25%)"


def test_a_page_without_the_counters_is_no_page_of_zeros():
    assert PrefixCache.in_text("# TYPE requests_total counter\nrequests_total 3\n") is None
    assert PrefixCache.in_text("") is None


def test_the_librarys_counters_are_added_up_likewise():
    names = [QUERIES, QUERIES, HITS, "vllm:num_preemptions"]
    metrics = [SimpleNamespace(name=name, value=value) for name, value in zip(names, (5, 6, 4, 100))]
    metrics.append(SimpleNamespace(name="vllm:e2e_request_latency_seconds", buckets={}))  # has no value
    assert PrefixCache.in_metrics(metrics) == PrefixCache(11, 4)


def test_what_came_between_two_readings_is_their_difference():
    assert PrefixCache(900, 300) - PrefixCache(500, 100) == PrefixCache(400, 200)
    assert PrefixCache().share == 0.0
