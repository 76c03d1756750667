package redact

import "strings"

// cardAt is the length of the number of a payment card at the beginning of s, 0 if there is
// none: 13 to 19 digits, together or in groups as they stand on cards, with the
// check digit of ISO/IEC 7812-1 (annex B, Luhn) and the length that its issuers use.
func cardAt(s string) int {
	var digits [20]byte
	n, count, group := 0, 0, 0
	gap := byte(0)
	for ; n < len(s) && count < len(digits); n++ {
		c := s[n]
		switch {
		case c >= '0' && c <= '9':
			digits[count] = c - '0'
			count++
			group++
			continue
		case (c == ' ' || c == '-') && (gap == 0 || gap == c) && group >= 4 && n+1 < len(s) && s[n+1] >= '0' && s[n+1] <= '9':
			if gap == 0 && count != 4 {
				break // the first group has four digits
			}
			gap, group = c, 0
			continue
		}
		break
	}
	if n < len(s) && (isWordByte(s[n]) || s[n] == '-' || s[n] == '.' && n+1 < len(s) && s[n+1] >= '0' && s[n+1] <= '9') {
		return 0
	}
	if !isIssuers(digits[:count]) || !luhn(digits[:count]) {
		return 0
	}
	return n
}

// isCard reports whether v is the number of a payment card.
func isCard(v string) bool {
	v = strings.TrimSpace(v)
	return len(v) >= 13 && len(v) <= 23 && cardAt(v) == len(v)
}

// isIssuers reports whether numbers that begin like d are issued, in its length
// (Visa, Mastercard, American Express, Diners Club, Discover, JCB, Maestro, Mir, UnionPay).
func isIssuers(d []byte) bool {
	if len(d) < 13 || len(d) > 19 {
		return false
	}
	two := d[0]*10 + d[1]
	switch d[0] {
	case 2:
		return len(d) == 16 && two >= 22 && two <= 27
	case 3:
		switch two {
		case 34, 37:
			return len(d) == 15
		case 30, 36, 38, 39:
			return len(d) == 14 || len(d) >= 16
		}
		return two == 35 && len(d) >= 16
	case 4:
		return len(d) == 13 || len(d) == 16 || len(d) == 19
	case 5, 6:
		return len(d) >= 16
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i])
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
