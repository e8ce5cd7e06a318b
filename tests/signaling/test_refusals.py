from signaling.refusals import BadSettings, PortTaken, Refusal


def test_a_refusal_has_three_parts_and_an_exit_code():
    refusal = Refusal("it broke", "because", "do this")
    assert refusal.as_json() == {"error": "it broke", "why": "because", "remedy": "do this"}
    assert str(refusal) == "it broke: because"
    assert refusal.exit_code == 1


def test_settings_are_the_commands_fault_and_ports_the_machines():
    assert BadSettings("a", "b", "c").exit_code == 2
    assert PortTaken("a", "b", "c").exit_code == 1
