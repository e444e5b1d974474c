/// Why it is not certain what a command line would run: what stands in it that hides that, or that shells read differently.
public enum ShellDoubt: UInt8, CaseIterable, MessageChoice {
    /// More bytes than a line has that can run.
    case length = 1
    case arithmeticExpansion
    case commandSubstitution
    case longExpansion
    case dollarSingleQuotes
    case dollarDoubleQuotes
    case dollarBrackets
    case dollarBeforeBackslash
    case openExpansion
    case escapedQuote
    case openQuote
    case backticks
    case openBackticks
    case hereDocumentEnd
    case continuedLine
    case openHereDocument
    case openGroup
    case loneOperator
    case arithmeticCommand
    case function
    case strayParenthesis
    case openCase
    case unopenedParenthesis
    case longDescriptor
    case redirectionIntoVariable
    case unopenedCase
    case select
    case caseCommand
    case namelessLoop
    case caseWithoutPatterns
    case hereDocumentInArithmetic
    case redirectionWithoutFile
    case nesting
    case processSubstitution
    case carriageReturn
    case controlCharacter
    case bashAssignment
    case array
    case parenthesesInWord
    case openArray
    case openParentheses
    case backslashBehindLetter
    case backslashAtEnd
    case continuedWord
}
