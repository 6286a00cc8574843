from stages.tasks.concepts import parameter_counts


def test_hidden_layer_follows_the_formulas() -> None:
    units = 32 * 32 * 3
    assert parameter_counts.hidden_layer(0).values == {
        "fully_connected": units**2,
        "locally_connected_5x5": units * 25,
        # At the border a field of 5 has 3 or 4 cells along an axis: 2 · (3 + 4) + 28 · 5 in all.
        "locally_connected_5x5_without_padding": 3 * (2 * (3 + 4) + 28 * 5) ** 2,
        "locally_connected_5x5_all_channels": units * 75,
        "convolution_5x5": 5 * 5 * 3 * 3,
    }


def test_counts_of_report_e() -> None:
    assert parameter_counts.local_and_shared(0).values == {
        "fully_connected": 100_000,
        "locally_connected_10x10": 1000,
        "one_shared_10x10_kernel": 100,
    }
    values = parameter_counts.lstm_layer(0).values
    assert values["one_bias_per_gate"] == (150 + 100 + 1) * 150 * 4
    assert values["two_biases_per_gate"] == (150 + 100 + 2) * 150 * 4


def test_image_inputs() -> None:
    assert parameter_counts.image_inputs(0).values == {"inputs": 1000 * 1000 * 3}


def test_gru_has_three_blocks_to_four() -> None:
    values = parameter_counts.gru_and_lstm(0).values
    # Report D's formulas: z and r; i, f and o.
    assert (values["gru_gates"], values["lstm_gates"], values["gru_states"], values["lstm_states"]) == (2, 3, 1, 2)
    assert values["smallest_ratio"] == values["largest_ratio"] == (2 + 1) / (3 + 1)


def test_batch_norm_learns_gamma_and_beta() -> None:
    assert set(parameter_counts.batch_norm_layer(0).values.values()) == {2}
