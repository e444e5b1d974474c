internal import JSON

/// The ids of the requests in a line that is no JSON which this server takes, as far as they can be read all the same. A client
/// waits for the answer to each request that it sent, however the rest of its line is spelled.
///
/// The line is taken in parts, and what is kept of it does not grow with it: the kind of each open bracket, one name or id,
/// and the ids. Strings may hold what they must not (half a surrogate pair, bytes that are not UTF-8, controls, unknown
/// escapes), names may be repeated, words may be none of JSON's, a comma or a colon may be missing or there is one too many,
/// and depth and number of values are as good as unbounded.
///
/// What would leave in doubt whether a member stands in a string ends the reading, as does a bracket that does not fit. What was
/// not read by then is not known. An id that may stand deeper than it seems, because a bracket may have been lost or be too
/// many before it, counts only where the rest of the line bears it out. So what stands in a string or deeper is never taken for
/// an id.
public struct UnreadableLine: Equatable, Sendable {
    /// What may come next.
    private enum Place {
        /// The message or the batch.
        case start
        /// A member's name, or the end of its object.
        case name
        /// The colon behind a name.
        case colon
        /// A member's value.
        case member
        /// An element, or the end of its array.
        case element
        /// What follows a value.
        case behind
        /// Only surplus brackets may come: the message or the batch has ended.
        case end
    }

    private enum Token {
        case none
        case string
        /// The byte behind a backslash. It belongs to the string, whatever it is.
        case escape
        case word
    }

    /// Why an id may stand deeper than it seems.
    private enum Doubt {
        case none
        /// Brackets stand before it, and a surplus one among them may have been taken for the end of another.
        case nested
        /// Something before it is no JSON, and may have been a bracket.
        case damaged
    }

    /// What is known of one message so far.
    private struct Message: Equatable {
        var id: RequestID?
        var doubt = Doubt.none
        var hasSeveralIDs = false
        var isAnswer = false
        var isRequest = false
        /// A bracket was opened in it.
        var hasNested = false

        mutating func take(_ new: RequestID?, afterDamage: Bool) {
            // Where there are two ids, one that may belong to another object does not count.
            if afterDamage, id != nil, doubt == .none { return }
            hasSeveralIDs = hasSeveralIDs || (id != nil && id != new)
            id = new
            doubt = afterDamage ? .damaged : hasNested ? .nested : .none
        }

        /// An answer from the client has no id that concerns us.
        var answered: RequestID? { hasSeveralIDs || (isAnswer && !isRequest) ? nil : id }
    }

    /// The ids of the objects at the top: the message, or those of a batch, in order. One without an id that can be read, or
    /// with several, has none.
    private(set) var ids: [RequestID] = []
    /// The line is a batch.
    private(set) var isBatch = false

    /// Messages in a batch.
    static let maximumBatch = 1000

    private let most: Int
    private var place = Place.start
    private var token = Token.none
    private var open = Brackets()
    /// The message that is open; nil outside of one.
    private var message: Message?
    /// What is known of the last one of `ids`.
    private var doubt = Doubt.none
    /// Something that JSON does not have was passed over.
    private var isDamaged = false
    /// Nothing more is read.
    private var hasStopped = false
    /// Bytes of the line that were taken, as far as a byte order mark may be among them.
    private var offset = 0

    // The token, or the name, at the level of the message.
    private var text: [UInt8] = []
    private var name: String?
    private var hasColon = false
    private var isName = false
    /// A comma or colon is missing before this string, and so far the string has only blanks.
    private var isSuspect = false

    /// Bytes of a name or an id that are kept; a longer id is not sent back in an error.
    private static let longestText = 4096

    /// - Parameter most: ids that are read.
    init(most: Int) {
        self.most = most
    }

    /// Of a whole line.
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

    /// The line has no more parts. A number at its end may have lost digits, and counts for nothing.
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

    /// Whether all of the token was kept.
    private var isKept: Bool { text.count <= Self.longestText }

    /// Goes behind the end of a string, or of the part.
    private mutating func walkString(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        if isSuspect {
            while index < bytes.count, Self.isBlank(bytes[index]) { index += 1 }
            guard index < bytes.count else { return index }
            // What begins like this stands between two strings of JSON. So this is no string: a quotation mark is missing or
            // surplus.
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

    /// A string or a word as a value.
    private mutating func endValue() {
        if isAtMessage { note(hasColon && name == "id" && isKept ? RequestID(text: text) : nil) }
        place = .behind
    }

    /// A member of the message has a value, which is this where it is an id.
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
        // Another message in the same line: the one before it has ended.
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
            // There are surplus brackets at the end, so an id in a damaged part may have lost the bracket that it stood in.
            if doubt == .damaged { stop() }
            return
        }
        guard open.count > 0, open.isObject == isObject else { return stop() }
        switch place {
        case .name, .element, .behind: break
        // A member without a value.
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
        // A surplus colon.
        case .member: passDamage()
        case .start, .name, .element, .behind, .end: stop()
        }
    }

    private mutating func comma() {
        switch place {
        case .behind: place = open.isObject ? .name : .element
        // A surplus comma.
        case .name, .element: passDamage()
        case .end: break
        // A member without a value.
        case .colon, .member:
            passDamage()
            if isAtMessage { note(nil) }
            place = .name
        case .start: stop()
        }
    }

    /// Passes over what is wrong. That the line goes on in a way that fits shows that what was read before stands where it seems to.
    private mutating func passDamage() {
        if !isDamaged, message?.id != nil { message?.doubt = .none }
        isDamaged = true
    }

    /// What comes does not fit what was read. A message that seemed to have ended may not have ended.
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

    /// Whether a byte belongs to a number or a word, or to what should be one.
    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): true
        default: false
        }
    }
}

/// The open brackets of a text, a bit for each.
private struct Brackets: Equatable, Sendable {
    /// A MiB of bits. Only hostile text nests so deep.
    private static let most = 1 << 23

    private var words: [UInt64] = []
    private(set) var count = 0

    /// Whether the innermost one is an object's.
    var isObject: Bool {
        guard count > 0 else { return false }
        return words[(count - 1) >> 6] >> UInt64((count - 1) & 63) & 1 == 1
    }

    /// - Returns: false where there are too many.
    mutating func push(isObject: Bool) -> Bool {
        guard count < Self.most else { return false }
        if count & 63 == 0 { words.append(0) }
        let bit = 1 << UInt64(count & 63) as UInt64
        if isObject { words[count >> 6] |= bit } else { words[count >> 6] &= ~bit }
        count += 1
        return true
    }

    mutating func pop() {
        count -= 1
        if count & 63 == 0 { words.removeLast() }
    }
}
