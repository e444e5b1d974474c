internal import JSON

/// Finds the ids of the requests in a line that `JSONReader` refuses. The client waits for an answer to each of its requests,
/// whatever is wrong with the rest of the line.
///
/// The line comes in parts. The memory that this takes does not grow with the line, apart from a bit per open bracket and the
/// ids. The line may have these mistakes: strings with half a surrogate pair, with bytes that are not UTF-8, with control
/// characters or unknown escapes; repeated names; words that JSON does not have; a missing or surplus comma or colon; too many
/// values; too deep nesting.
///
/// Reading stops at a bracket that does not fit, and at a mistake after which it is not clear what is inside a string. The rest
/// of the line is then not known. A mistake may also hide that a bracket is missing or surplus, so that an id is deeper inside
/// the line than it seems. Such an id counts only if the rest of the line fits. So nothing inside a string or a deeper object is
/// taken for the id of a request.
public struct UnreadableLine: Equatable, Sendable {
    /// What may come next.
    private enum Place {
        /// The message or the batch.
        case start
        /// A member's name, or the end of its object.
        case name
        /// The colon after a name.
        case colon
        /// A member's value.
        case member
        /// An element, or the end of its array.
        case element
        /// A comma or the closing bracket after a value.
        case behind
        /// Nothing but surplus brackets, because the message or the batch has ended.
        case end
    }

    /// What the next byte is a part of.
    private enum Token {
        /// No string and no word.
        case none
        /// A string.
        case string
        /// A string, directly after a backslash. The byte belongs to the string, whatever it is.
        case escape
        /// A number, a word of JSON, or what should be one.
        case word
    }

    /// Why an id may be deeper inside the line than it seems.
    private enum Doubt {
        /// There is no reason.
        case none
        /// There are brackets before it, and one of them may be surplus and may have closed the wrong object.
        case nested
        /// There is a mistake before it, which may have been a bracket.
        case damaged
    }

    /// What is known about one message so far.
    private struct Message: Equatable {
        var id: RequestID?
        var doubt = Doubt.none
        var hasSeveralIDs = false
        var isAnswer = false
        var isRequest = false
        /// Whether a bracket was opened inside it.
        var hasNested = false

        /// Takes a member with the name `id`; nil if its value is no id.
        mutating func take(_ new: RequestID?, afterDamage: Bool) {
            // An id after a mistake may belong to another object, and does not count beside one without doubt.
            if afterDamage, id != nil, doubt == .none { return }
            hasSeveralIDs = hasSeveralIDs || (id != nil && id != new)
            id = new
            doubt = afterDamage ? .damaged : hasNested ? .nested : .none
        }

        /// The id that must be answered; nil if there are several, or if the message is itself an answer.
        var answered: RequestID? { hasSeveralIDs || (isAnswer && !isRequest) ? nil : id }
    }

    /// The ids of the message, or of the messages of a batch in order. A message whose id cannot be read, or that has several,
    /// is left out.
    private(set) var ids: [RequestID] = []
    /// Whether the line is a batch.
    private(set) var isBatch = false

    /// How many messages a batch may have.
    static let maximumBatch = 1000

    private let most: Int
    private var place = Place.start
    private var token = Token.none
    private var open = Brackets()
    /// The message that is being read; nil before, between and after messages.
    private var message: Message?
    /// The doubt about the last one of `ids`.
    private var doubt = Doubt.none
    /// Whether there was a mistake so far.
    private var isDamaged = false
    /// Whether the rest of the line is not read.
    private var hasStopped = false
    /// How many bytes were compared with a byte order mark.
    private var offset = 0

    /// The bytes of the last token that is directly inside the message.
    private var text: [UInt8] = []
    /// The name of the member that is being read; nil if it is not known.
    private var name: String?
    /// Whether the colon after that name has come.
    private var hasColon = false
    /// Whether the string that is being read is a name.
    private var isName = false
    /// Whether the string comes after a missing comma or colon, and has only blanks so far.
    private var isSuspect = false

    /// How many bytes of a name or an id are kept. A longer id is not repeated in an error.
    private static let longestText = 4096

    /// - Parameter most: how many ids are read.
    init(most: Int) {
        self.most = most
    }

    /// Reads a whole line.
    init(_ bytes: [UInt8], most: Int) {
        self.init(most: most)
        take(bytes[...])
        finish()
    }

    /// Takes the next part of the line.
    mutating func take(_ part: ArraySlice<UInt8>) {
        part.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count, !hasStopped {
                switch token {
                case .string: index = walkString(bytes, from: index)
                case .escape:
                    keep(bytes[index])
                    token = .string
                    index += 1
                case .word where Self.isWord(bytes[index]):
                    keep(bytes[index])
                    index += 1
                case .word: endWord()
                case .none:
                    take(outside: bytes[index])
                    index += 1
                }
            }
        }
    }

    /// Takes notice that the line has no more parts. A number at its very end does not count, because digits may be missing.
    mutating func finish() {
        hasStopped = true
        guard let message else { return }
        self.message = nil
        if let id = message.answered, message.doubt != .damaged { ids.append(id) }
    }

    // MARK: Tokens

    private var isAtMessage: Bool { message != nil && open.count == (isBatch ? 2 : 1) }

    private mutating func keep(_ byte: UInt8) {
        if isAtMessage, text.count <= Self.longestText { text.append(byte) }
    }

    /// Whether `text` has the whole token.
    private var isKept: Bool { text.count <= Self.longestText }

    /// Reads a string up to its end or to the end of the part.
    /// - Returns: the index after the last byte that was read.
    private mutating func walkString(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        if isSuspect {
            while index < bytes.count, Self.isBlank(bytes[index]) { index += 1 }
            guard index < bytes.count else { return index }
            // These bytes come between two strings. So this is no string, and a quotation mark is missing or surplus.
            guard !Self.isBehindString(bytes[index]) else {
                stop()
                return index
            }
            isSuspect = false
        }
        while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") { index += 1 }
        if isAtMessage, text.count <= Self.longestText {
            text.append(contentsOf: bytes[start..<index].prefix(Self.longestText + 1 - text.count))
        }
        guard index < bytes.count else { return index }
        keep(bytes[index])
        if bytes[index] == UInt8(ascii: "\\") {
            token = .escape
        } else {
            token = .none
            if isName { endName() } else { endValue() }
        }
        return index + 1
    }

    private mutating func endWord() {
        token = .none
        endValue()
    }

    private mutating func endName() {
        isName = false
        name = isAtMessage && isKept ? JSONValue.parse(text)?.string : nil
        hasColon = false
        place = .colon
    }

    /// Takes notice of the end of a value that is a string or a word.
    private mutating func endValue() {
        if isAtMessage { note(hasColon && name == "id" && isKept ? RequestID(text: text) : nil) }
        place = .behind
    }

    /// Takes notice of the value of a member of the message.
    /// - Parameter id: the value, if it is an id.
    private mutating func note(_ id: RequestID?) {
        switch name {
        case "id": message?.take(id, afterDamage: isDamaged)
        case "method": message?.isRequest = true
        case "result", "error": message?.isAnswer = true
        default: break
        }
        name = nil
    }

    private mutating func begin(_ kind: Token, _ first: UInt8, isName: Bool, isSuspect: Bool) {
        token = kind
        self.isName = isName
        self.isSuspect = isSuspect
        text = []
        keep(first)
    }

    // MARK: Between tokens

    private mutating func take(outside byte: UInt8) {
        if offset < 3 {
            offset += 1
            if byte == [0xEF, 0xBB, 0xBF][offset - 1] { return }
            offset = 3
        }
        guard !Self.isBlank(byte) else { return }
        switch byte {
        case UInt8(ascii: "\""): openString(byte)
        case UInt8(ascii: "{"), UInt8(ascii: "["): openBracket(isObject: byte == UInt8(ascii: "{"))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): closeBracket(isObject: byte == UInt8(ascii: "}"))
        case UInt8(ascii: ":"): colon()
        case UInt8(ascii: ","): comma()
        case _ where Self.isWord(byte): openWord(byte)
        default: stop()
        }
    }

    private mutating func openString(_ byte: UInt8) {
        switch place {
        case .name: begin(.string, byte, isName: true, isSuspect: false)
        case .member, .element: begin(.string, byte, isName: false, isSuspect: false)
        // The colon is missing.
        case .colon:
            passDamage()
            begin(.string, byte, isName: false, isSuspect: true)
        // The comma is missing.
        case .behind:
            passDamage()
            begin(.string, byte, isName: open.isObject, isSuspect: true)
        case .start, .end: stop()
        }
    }

    private mutating func openWord(_ byte: UInt8) {
        switch place {
        case .member, .element: begin(.word, byte, isName: false, isSuspect: false)
        // The colon or the comma is missing.
        case .colon: beginDamaged(byte)
        case .behind where !open.isObject: beginDamaged(byte)
        case .behind, .name, .start, .end: stop()
        }
    }

    private mutating func beginDamaged(_ byte: UInt8) {
        passDamage()
        begin(.word, byte, isName: false, isSuspect: false)
    }

    private mutating func openDamaged(_ isObject: Bool) {
        passDamage()
        openNested(isObject)
    }

    private mutating func openBracket(isObject: Bool) {
        switch place {
        case .start:
            isBatch = !isObject
            if isObject { message = Message() }
        case .member, .element: openNested(isObject)
        case .colon: openDamaged(isObject)
        case .behind where !open.isObject: openDamaged(isObject)
        // Another message begins in the same line. This shows that the one before it has ended.
        case .end where isObject:
            if doubt == .nested { doubt = .none }
            return stop()
        case .behind, .name, .end: stop()
        }
        guard !hasStopped else { return }
        guard open.push(isObject: isObject) else { return stop() }
        place = isObject ? .name : .element
    }

    private mutating func openNested(_ isObject: Bool) {
        if isBatch, open.count == 1 {
            doubt = .none
            guard ids.count < most else { return stop() }
            if isObject { message = Message() }
            return
        }
        if isAtMessage { note(nil) }
        message?.hasNested = true
    }

    private mutating func closeBracket(isObject: Bool) {
        guard place != .end else {
            // This bracket is surplus. If there was a mistake before, that may have hidden the bracket which this one closes.
            if doubt == .damaged { stop() }
            return
        }
        guard open.count > 0, open.isObject == isObject else { return stop() }
        switch place {
        case .name, .element, .behind: break
        // The member has no value.
        case .colon, .member:
            passDamage()
            if isAtMessage { note(nil) }
        case .start, .end: return stop()
        }
        if isAtMessage { endMessage() }
        open.pop()
        place = open.count == 0 ? .end : .behind
        if open.count == 0, isBatch { doubt = .none }
    }

    private mutating func endMessage() {
        defer { message = nil }
        guard let message, let id = message.answered else { return }
        ids.append(id)
        doubt = message.doubt
    }

    private mutating func colon() {
        switch place {
        case .colon:
            hasColon = true
            place = .member
        // The colon is surplus.
        case .member: passDamage()
        case .start, .name, .element, .behind, .end: stop()
        }
    }

    private mutating func comma() {
        switch place {
        case .behind: place = open.isObject ? .name : .element
        // The comma is surplus.
        case .name, .element: passDamage()
        case .end: break
        // The member has no value.
        case .colon, .member:
            passDamage()
            if isAtMessage { note(nil) }
            place = .name
        case .start: stop()
        }
    }

    /// Takes notice of a mistake that does not stop the reading. An id that was read before the first mistake is where it seems
    /// to be, because the line fitted up to here.
    private mutating func passDamage() {
        if !isDamaged, message?.id != nil { message?.doubt = .none }
        isDamaged = true
    }

    /// Stops, because the next byte does not fit. So the last message may not have ended where it seemed to.
    private mutating func stop() {
        hasStopped = true
        if message == nil, doubt != .none { _ = ids.popLast() }
        doubt = .none
    }

    // MARK: Bytes

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private static func isBehindString(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "]"), UInt8(ascii: "}"): true
        default: false
        }
    }

    /// Whether a byte belongs to a number or a word of JSON, or to what should be one.
    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): true
        default: false
        }
    }
}
