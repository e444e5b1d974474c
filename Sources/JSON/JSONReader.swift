/// Why a text is not one JSON value that this server takes.
public struct JSONMistake: Error, Equatable, Sendable {
    /// Where, in bytes from the start of the text.
    public let offset: Int
    /// What is wrong there.
    public let what: String

    /// A mistake at a place.
    public init(offset: Int, what: String) {
        self.offset = offset
        self.what = what
    }
}

/// Reads one JSON text, RFC 8259, strictly and in linear time: no comma too many, no name twice in an object, no lone
/// surrogate, UTF-8 only. FoundationEssentials' decoder takes all of these, and tens of seconds for 16 MiB of small values.
public struct JSONReader {
    /// Arrays and objects within each other.
    public static let maximumDepth = 512
    /// Values in one text: each takes some dozens of bytes in memory, however short it is written.
    public static let maximumValues = 1 << 18
    /// Bytes of a number.
    public static let maximumNumber = 1024

    private let bytes: [UInt8]
    private var index = 0
    private var values = 0

    /// Reads a whole text.
    public static func read(_ bytes: [UInt8]) throws(JSONMistake) -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        // RFC 8259 section 8.1 lets a reader ignore a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.index = 3 }
        reader.skipBlanks()
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.index == bytes.count else { throw reader.mistake("more after the value") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func mistake(_ what: String) -> JSONMistake { JSONMistake(offset: index, what: what) }

    /// The byte here; nil at the end.
    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        skip { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    }

    /// Goes to the next byte that is not such a one. Long stretches are walked here, and quickly.
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
        case .none: throw mistake("the text ends where a value should be")
        case .some: throw mistake("a value was expected")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONMistake) -> JSONValue {
        let end = index + word.utf8CodeUnitCount
        guard end <= bytes.count,
            word.withUTF8Buffer({ $0.elementsEqual(bytes[index..<end]) })
        else { throw mistake("a value was expected") }
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
            elements.append(try value(depth: depth))
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw mistake("\",\" or \"]\" was expected") }
            skipBlanks()
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
            guard next == UInt8(ascii: "\"") else { throw mistake("a member's name was expected") }
            let start = index
            let name = try string()
            // Which of the two counts would differ between us and whoever looked at the text before us.
            guard names.insert(Array(name.utf8)).inserted else {
                throw JSONMistake(offset: start, what: "a second member \"\(name.bounded)\"")
            }
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw mistake("\":\" was expected") }
            skipBlanks()
            members.append(JSONObject.Member(name: name, value: try value(depth: depth)))
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(JSONObject(members: members)) }
            guard take(UInt8(ascii: ",")) else { throw mistake("\",\" or \"}\" was expected") }
            skipBlanks()
        }
    }

    /// A string, from its first quotation mark to behind its last.
    private mutating func string() throws(JSONMistake) -> String {
        let opening = index
        index += 1
        var start = index
        // What came before an escape; empty where there is none, which is nearly always.
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
            guard byte == UInt8(ascii: "\\") else { throw mistake("a control character in a string") }
            unescaped.append(contentsOf: bytes[start..<index])
            try escape(into: &unescaped)
            start = index
        }
        throw JSONMistake(offset: opening, what: "a string without an end")
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

    /// `\uXXXX`, with the other half where it is one half of a pair; `index` is at the `u`.
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
        guard index - start <= Self.maximumNumber else {
            throw JSONMistake(offset: start, what: "a number of more than \(Self.maximumNumber) characters")
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw JSONMistake(offset: start, what: "a number beyond what a double holds")
        }
        // 1.0 and 1e3 are integers, JSON Schema 2020-12 section 6.1.1; beyond 2^53 a double does not say which.
        if !isInteger, number.magnitude < 0x1p53, let integer = Int64(exactly: number) { return .integer(integer) }
        return .number(number)
    }

    private mutating func digits() throws(JSONMistake) {
        let start = index
        skip { $0 >= 0x30 && $0 <= 0x39 }
        guard index > start else { throw mistake("a digit was expected") }
    }
}
