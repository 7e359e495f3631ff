"""A slice of the port's suite: of each facet what a real network may do otherwise than a stand-in.

The stand-in plays the whole suite in the same run, and the network by `make fabric-suite`.
"""

from __future__ import annotations

from typing import Final

CORE: Final = frozenset(
    {
        # blocks, accounts, statements, reading
        "test_a_deployed_ledger_passes_its_check",
        "test_blocks_are_chained_by_height_and_time",
        "test_a_depth_policy_holds_back_the_newest_blocks",
        "test_what_is_no_account_is_not_read_as_one",
        "test_no_account_is_a_contract",
        "test_what_a_wallet_signs_is_its_accounts_and_no_others",
        "test_what_is_not_final_yet_is_not_read_as_final",
        "test_each_height_shows_who_owned_a_model_then",
        # registry, publications, grants, receipts
        "test_a_published_model_is_found_with_its_version",
        "test_the_same_version_twice_is_refused",
        "test_a_batch_is_anchored_with_what_proves_each_publication",
        "test_a_granted_licence_is_live_until_it_is_revoked",
        "test_a_root_is_anchored_once",
        # submitting, deaths, halts
        "test_twenty_calls_of_one_account_at_once_are_twenty_transactions",
        "test_killed_after_broadcast_it_is_found_and_not_sent_again",
        "test_a_dead_call_is_made_anew",
        "test_killed_at_whatever_moment_it_takes_effect_once",
        "test_a_call_that_was_signed_before_takes_effect_once",
        # packets, voyages, the feed
        "test_a_replayed_packet_has_no_second_effect",
        "test_a_packet_does_not_time_out_before_its_time",
        "test_a_packet_that_timed_out_has_ended",
        "test_a_frozen_route_takes_nothing_until_its_client_is_replaced",
        "test_a_model_goes_to_another_ledger_and_comes_back",
        "test_whatever_is_done_is_told_once_and_in_order_from_any_cut",
        # what a ledger has or has not
        "test_what_is_newest_is_final",
        "test_proofs_of_state_are_refused_by_name",
        "test_organisations_sign_what_is_there_and_what_is_not",
        "test_watching_is_not_offered",
        "test_fees_for_relayers_are_not_offered",
        "test_what_is_paid_elsewhere_is_sold_all_the_same",
        "test_a_bought_licence_is_live_and_its_price_is_paid_out",
        "test_coins_change_hands_and_never_more_than_there_are",
        "test_a_fee_is_held_until_its_relayer_earns_it",
    }
)


def core_of(*facets: type) -> type:
    """Give a class with the facets' tests that are in the slice, and no others."""
    whole = type("Core", facets, {})
    others = [name for name in dir(whole) if name.startswith("test_") and name not in CORE]
    return type("Core", facets, dict.fromkeys(others))


def own_tests(facet: type) -> frozenset[str]:
    """Name the tests that a facet itself has."""
    return frozenset(name for name in vars(facet) if name.startswith("test_"))
