package inspect

// Rules is the list of all rules. Those that read the answer run first; inside
// each half the order is that of the checklist.
var Rules = []*Rule{
	// what the answer or a log says
	vendorDecision,
	challenge,
	answerSays,
	statusMeaning,
	logSays,
	// the client's side: items 1 to 7
	methodRule,
	trailingSlash,
	wrongPath,
	wrongScheme,
	hostMismatch,
	contentType,
	malformedToken,
	expiredToken,
	expiredLink,
	notYetValid,
	wrongAudience,
	insufficientScope,
	tamperedToken,
	signatureReused,
	clockSkew,
	missingToken,
	headerStripped,
	duplicateHeader,
	missingHeader,
	unsupportedHeader,
	csrf,
	originMismatch,
	cors,
	malformedBody,
	bodyTooLarge,
	schemaViolation,
	staleCookie,
	// around it: items 9 to 21
	protocolVersion,
	addressChanged,
	userAgent,
	wafContent,
	rateLimit,
	ownership,
	otherCredential,
	environmentChange,
}
