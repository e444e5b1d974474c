/// Reads one JSON text, RFC 8259, strictly and in linear time. It refuses surplus commas, repeated names in an object, lone
/// surrogates, and bytes that are not UTF-8. FoundationEssentials' decoder accepts all of these, and takes tens of seconds for
/// 16 MiB of small values.
public struct JSONReader {
    /// How deep arrays and objects may be nested.
    public static let maximumDepth = 512
    /// How many values a text may have. Each takes dozens of bytes in memory, however short it is written.
    public static let maximumValues = 1 << 18
    /// How many bytes a number may have.
    public static let maximumNumber = 1024

    /// A step from the text to a value in it.
    private enum Step {
        case name(String)
        case index(Int)
    }

    private let bytes: [UInt8]
    private var index = 0
    private var values = 0
    /// Whether a repeated name is noted in `repeats` instead of being a mistake.
    private let notesRepeats: Bool
    /// The paths of the members whose names were repeated.
    private var repeats: [String] = []
    /// The way from the text to the value that is being read. It is kept only if repeats are noted.
    private var way: [Step] = []

    /// Reads a whole text.
    public static func read(_ bytes: [UInt8]) throws(JSONMistake) -> JSONValue {
        var reader = JSONReader(bytes: bytes, notesRepeats: false)
        return try reader.read()
    }

    /// Reads a whole text, and notes repeated names, so that a person can be told all mistakes at once. A repeated member keeps
    /// its first value.
    /// - Returns: the value, and the paths of the repeated members.
    public static func readNotingRepeats(
        _ bytes: [UInt8]
    ) throws(JSONMistake) -> (value: JSONValue, repeats: [String]) {
        var reader = JSONReader(bytes: bytes, notesRepeats: true)
        let value = try reader.read()
        return (value, reader.repeats)
    }

    private mutating func read() throws(JSONMistake) -> JSONValue {
        // RFC 8259 section 8.1 lets a reader ignore a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        skipBlanks()
        let value = try value(depth: 0)
        skipBlanks()
        guard index == bytes.count else { throw unexpected("nothing may follow the value") }
        return value
    }

    private init(bytes: [UInt8], notesRepeats: Bool) {
        self.bytes = bytes
        self.notesRepeats = notesRepeats
    }

    private func mistake(_ what: String) -> JSONMistake { JSONMistake(offset: index, what: what) }

    /// The mistake for bytes that are not expected here. They may be a comment.
    private func unexpected(_ what: String) -> JSONMistake {
        mistake(next == UInt8(ascii: "/") || next == UInt8(ascii: "#") ? "JSON has no comments" : what)
    }

    /// The mistake for bytes in the place of a value. A word without quotes is named.
    private func noValue() -> JSONMistake {
        let word = bytes[index...].prefix { $0 >= 0x80 || Self.wordBytes.contains($0) }.prefix(160)
        guard !word.isEmpty else { return unexpected("a value is expected") }
        let text = String(decoding: word, as: UTF8.self).prefix(40)
        return mistake("\"\(text)\" is no value; text stands in double quotes")
    }

    private static let wordBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._".utf8)

    /// The mistake for bytes after an element that are neither a comma nor the closing bracket.
    private func noEnd(_ bracket: String) -> JSONMistake {
        index == bytes.count ? mistake("\"\(bracket)\" is missing") : unexpected("\",\" or \"\(bracket)\" is expected")
    }

    private static func comma(_ offset: Int, _ bracket: String) -> JSONMistake {
        JSONMistake(offset: offset, what: "no comma may stand before \"\(bracket)\"")
    }

    /// The byte here; nil at the end.
    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        skip { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    }

    /// Goes to the next byte that is not `isSuch`. The unsafe buffer makes this fast on long strings.
    private mutating func skip(while isSuch: (UInt8) -> Bool) {
        index = bytes.withUnsafeBufferPointer { buffer in
            var end = index
            while end < buffer.count, isSuch(buffer[end]) { end += 1 }
            return end
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONMistake) -> JSONValue {
        values += 1
        guard values <= Self.maximumValues else { throw mistake("more than \(Self.maximumValues) values") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), .some(0x30...0x39): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .none, .some: throw noValue()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONMistake) -> JSONValue {
        let end = index + word.utf8CodeUnitCount
        guard end <= bytes.count,
            word.withUTF8Buffer({ $0.elementsEqual(bytes[index..<end]) })
        else { throw noValue() }
        index = end
        return value
    }

    private mutating func array(depth: Int) throws(JSONMistake) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw mistake("nested more than \(Self.maximumDepth) deep") }
        index += 1
        skipBlanks()
        var elements: [JSONValue] = []
        guard !take(UInt8(ascii: "]")) else { return .array(elements) }
        while true {
            if notesRepeats { way.append(.index(elements.count)) }
            elements.append(try value(depth: depth))
            if notesRepeats { way.removeLast() }
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            let comma = index
            guard take(UInt8(ascii: ",")) else { throw noEnd("]") }
            skipBlanks()
            guard next != UInt8(ascii: "]") else { throw Self.comma(comma, "]") }
        }
    }

    private mutating func object(depth: Int) throws(JSONMistake) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw mistake("nested more than \(Self.maximumDepth) deep") }
        index += 1
        skipBlanks()
        var members: [JSONObject.Member] = []
        var names: Set<[UInt8]> = []
        guard !take(UInt8(ascii: "}")) else { return .object(JSONObject()) }
        while true {
            guard next == UInt8(ascii: "\"") else { throw unexpected("a name in double quotes is expected") }
            let start = index
            let name = try string()
            // Another program that has judged the same text may take the other one of the two members.
            let isNew = names.insert(Array(name.utf8)).inserted
            guard isNew || notesRepeats else {
                throw JSONMistake(offset: start, what: "a second member \"\(name.bounded)\"")
            }
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw unexpected("\":\" is expected") }
            skipBlanks()
            if notesRepeats { way.append(.name(name)) }
            if !isNew { repeats.append(path) }
            let first = index
            let value = try value(depth: depth)
            if notesRepeats { way.removeLast() }
            if isNew {
                members.append(JSONObject.Member(name: name, value: value, spelling: spelling(of: value, from: first)))
            }
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(JSONObject(members: members)) }
            let comma = index
            guard take(UInt8(ascii: ",")) else { throw noEnd("}") }
            skipBlanks()
            guard next != UInt8(ascii: "}") else { throw Self.comma(comma, "}") }
        }
    }

    /// `way` as a person writes it, such as `hosts.a.exec_allowlist[1]`.
    private var path: String {
        way.reduce(into: "") { path, step in
            switch step {
            case .name(let name): path += path.isEmpty ? name : ".\(name)"
            case .index(let index): path += "[\(index)]"
            }
        }
    }

    /// Reads a string with its quotation marks.
    private mutating func string() throws(JSONMistake) -> String {
        let opening = index
        index += 1
        var start = index
        // The text up to the last escape. It is empty if there is no escape, which is nearly always so.
        var unescaped: [UInt8] = []
        while true {
            skip { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            guard let byte = next else { break }
            if byte == UInt8(ascii: "\"") {
                let rest = bytes[start..<index]
                let text =
                    unescaped.isEmpty
                    ? String(validating: rest, as: UTF8.self) : String(validating: unescaped + rest, as: UTF8.self)
                guard let text else { throw JSONMistake(offset: opening, what: "a string that is not UTF-8") }
                index += 1
                return text
            }
            guard byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") else { break }
            guard byte == UInt8(ascii: "\\") else { throw mistake("a control character in a string") }
            unescaped.append(contentsOf: bytes[start..<index])
            try escape(into: &unescaped)
            start = index
        }
        throw JSONMistake(offset: opening, what: "this quote is not closed on its line")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONMistake) {
        index += 1
        guard let letter = next else { throw mistake("the text ends within an escape") }
        let byte: UInt8
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte = letter
        case UInt8(ascii: "b"): byte = 0x08
        case UInt8(ascii: "f"): byte = 0x0C
        case UInt8(ascii: "n"): byte = 0x0A
        case UInt8(ascii: "r"): byte = 0x0D
        case UInt8(ascii: "t"): byte = 0x09
        case UInt8(ascii: "u"):
            try unicodeEscape(into: &text)
            return
        default: throw mistake("an escape that JSON does not have")
        }
        text.append(byte)
        index += 1
    }

    /// Reads `\uXXXX` from its `u` on. If it is the first half of a surrogate pair, this reads the second half as well.
    private mutating func unicodeEscape(into text: inout [UInt8]) throws(JSONMistake) {
        let start = index
        var code = try hexadecimal()
        if (0xD800...0xDBFF).contains(code) {
            guard take(UInt8(ascii: "\\")), next == UInt8(ascii: "u") else {
                throw JSONMistake(offset: start, what: "half of a surrogate pair")
            }
            let low = try hexadecimal()
            guard (0xDC00...0xDFFF).contains(low) else {
                throw JSONMistake(offset: start, what: "half of a surrogate pair")
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else {
            throw JSONMistake(offset: start, what: "half of a surrogate pair")
        }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private mutating func hexadecimal() throws(JSONMistake) -> UInt32 {
        index += 1
        var code: UInt32 = 0
        for _ in 0..<4 {
            switch next {
            case .some(let byte) where (0x30...0x39).contains(byte): code = code << 4 | UInt32(byte - 0x30)
            case .some(let byte) where (0x61...0x66).contains(byte | 0x20):
                code = code << 4 | UInt32((byte | 0x20) - 0x57)
            default: throw mistake("four hexadecimal digits were expected")
            }
            index += 1
        }
        return code
    }

    private mutating func number() throws(JSONMistake) -> JSONValue {
        let start = index
        let isInteger = try numberText()
        guard index - start <= Self.maximumNumber else {
            throw JSONMistake(offset: start, what: "a number of more than \(Self.maximumNumber) characters")
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw JSONMistake(offset: start, what: "a number beyond what a double holds")
        }
        // 1.0 and 1e3 are integers, JSON Schema 2020-12 section 6.1.1. Beyond 2^53 a double does not tell which integer.
        if !isInteger, number.magnitude < 0x1p53, let integer = Int64(exactly: number) { return .integer(integer) }
        return .number(number)
    }

    /// Reads a number.
    /// - Returns: whether it has neither fraction nor exponent.
    private mutating func numberText() throws(JSONMistake) -> Bool {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return isInteger
    }

    /// The text of the number that was read from `start` on; nil if `JSONWriter` would write the same.
    private func spelling(of value: JSONValue, from start: Int) -> String? {
        let text = bytes[start..<index]
        switch value {
        case .integer where text.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }):
            return text.elementsEqual("-0".utf8) ? "-0" : nil
        case .integer, .number: return String(decoding: text, as: UTF8.self)
        case .null, .bool, .string, .array, .object, .encoded, .spelled: return nil
        }
    }

    /// Whether a text is a number as JSON writes it, of any size.
    public static func isNumber(_ text: [UInt8]) -> Bool {
        var reader = JSONReader(bytes: text, notesRepeats: false)
        return (try? reader.numberText()) != nil && reader.index == text.count
    }

    private mutating func digits() throws(JSONMistake) {
        let start = index
        skip { $0 >= 0x30 && $0 <= 0x39 }
        guard index > start else { throw mistake("a digit was expected") }
    }
}
