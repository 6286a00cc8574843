from stages.tasks.concepts import text


def test_shapes_are_those_of_the_comments_in_the_code() -> None:
    values = text.text_cnn_shapes(0).values
    assert [values[f"convolution_size_{axis}"] for axis in range(4)] == [3, 50, 20, 1]
    assert [values[f"output_size_{axis}"] for axis in range(2)] == [3, 50]
    assert values["output_dimensions"] == 2
    assert values["difference_from_conv1d"] < 1e-5
