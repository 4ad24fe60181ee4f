# METADATA
# title: Prøver av adressesperre
# description: Hver grad, og ingen (hpl. § 21).
package sluse.shield_test

import data.sluse.shield

test_open if {
	shield.open with input as {"shield": 0}
	every grade in [1, 2, 3, -1, "0", null] {
		not shield.open with input as {"shield": grade}
	}
	not shield.open with input as {}
}

test_automatic if {
	shield.automatic with input as {"shield": 0}
	shield.automatic with input as {"shield": 1}
	every grade in [2, 3, -1, "1", null] {
		not shield.automatic with input as {"shield": grade}
	}
	not shield.automatic with input as {}
}

test_manual if {
	shield.manual with input as {"shield": 2, "action": "message"}
	not shield.manual with input as {"shield": 1, "action": "message"}
	not shield.manual with input as {"shield": 2, "action": "read"}
}

test_answers_no if {
	shield.open == false with input as {}
	shield.automatic == false with input as {}
	shield.manual == false with input as {}
	shield.manual with input as {"action": "message"}
	shield.automatic == false with input as {"shield": "0"}
	shield.automatic == false with input as {"shield": true}
}
