/// Spells a text as a model may read it: what splits or disguises words is undone, so that the patterns find them.
enum PlainSpelling {
    /// What a character, a reference or an escape stands for in the plain spelling.
    private enum Meaning {
        case itself, nothing
        case ascii(UInt8)
    }

    /// Lead bytes of what may be spelled otherwise, and control characters except tab, line feed, VT, FF and CR.
    private static let scan = ByteScan { byte in
        switch byte {
        case 9...13: false
        case ..<0x20, 0x7F, UInt8(ascii: "&"), UInt8(ascii: "\\"), 0xC2, 0xCD, 0xD8, 0xE1...0xE3, 0xEF, 0xF0, 0xF3: true
        default: false
        }
    }

    /// Leaves out invisible characters, control characters, terminal sequences and replacement characters. Replaces
    /// fullwidth and tag characters, HTML's character references and the escapes of JSON and JavaScript by the ASCII
    /// characters that they stand for.
    /// - Returns: nil if the text is its own plain spelling.
    static func of(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var index = scan.next(in: text, from: 0)
        while index < text.count {
            let (meaning, length) = meaning(text, at: index)
            if case .itself = meaning {} else { break }
            index = scan.next(in: text, from: index + length)
        }
        guard index < text.count else { return nil }
        // The plain spelling is never longer than the text.
        return [UInt8](unsafeUninitializedCapacity: text.count) { plain, count in
            write(text, from: index, into: UnsafeMutableRawBufferPointer(plain), &count)
        }
    }

    private static func write(
        _ text: UnsafeRawBufferPointer, from first: Int, into plain: UnsafeMutableRawBufferPointer, _ count: inout Int
    ) {
        var copied = 0
        var index = first
        func copy(to end: Int) {
            UnsafeMutableRawBufferPointer(rebasing: plain[count...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: text[copied..<end]))
            count += end - copied
        }
        while index < text.count {
            let (meaning, length) = meaning(text, at: index)
            let next = min(index + length, text.count)
            switch meaning {
            case .itself: break
            case .nothing:
                copy(to: index)
                copied = next
            case .ascii(let byte):
                copy(to: index)
                plain[count] = byte
                count += 1
                copied = next
            }
            index = scan.next(in: text, from: next)
        }
        copy(to: text.count)
    }

    private static func meaning(_ text: UnsafeRawBufferPointer, at index: Int) -> (Meaning, length: Int) {
        switch text[index] {
        case 0x1B: return (.nothing, HiddenText.escape(text, at: index).end - index)
        case UInt8(ascii: "&"): return reference(text, at: index)
        case UInt8(ascii: "\\"): return escape(text, at: index)
        default:
            let (scalar, length) = text.scalar(at: index)
            return (meaning(of: scalar), length)
        }
    }

    private static func meaning(of scalar: UInt32) -> Meaning {
        switch scalar {
        case 0xFF01...0xFF5E: .ascii(UInt8(scalar - 0xFEE0))
        case 0xE0020...0xE007E: .ascii(UInt8(scalar - 0xE0000))
        case ..<9, 14..<0x20, 0x7F..<0xA0, 0xFFFD: .nothing
        default: scalar.isInvisible ? .nothing : .itself
        }
    }

    /// What the number in a reference or an escape stands for.
    private static func meaning(ofNumber scalar: UInt32) -> Meaning {
        switch scalar {
        case 0x20...0x7E: .ascii(UInt8(scalar))
        case 9...13, 0xA0: .ascii(UInt8(ascii: " "))
        default: meaning(of: scalar)
        }
    }

    private static let names: [(name: StaticString, byte: UInt8)] = [
        ("&lt;", UInt8(ascii: "<")), ("&gt;", UInt8(ascii: ">")), ("&amp;", UInt8(ascii: "&")),
        ("&quot;", UInt8(ascii: "\"")), ("&apos;", UInt8(ascii: "'")), ("&nbsp;", UInt8(ascii: " ")),
    ]

    /// Reads a reference such as `&lt;`, `&#60;` or `&#x3C;`.
    private static func reference(_ text: UnsafeRawBufferPointer, at index: Int) -> (Meaning, length: Int) {
        if text.byte(index + 1) == UInt8(ascii: "#") {
            let isHex = text.byte(index + 2) | 0x20 == UInt8(ascii: "x")
            let (value, end) = number(text, from: index + (isHex ? 3 : 2), radix: isHex ? 16 : 10, most: 7)
            guard let value, text.byte(end) == UInt8(ascii: ";") else { return (.itself, 1) }
            return (meaning(ofNumber: value), end + 1 - index)
        }
        for (name, byte) in names
        where (0..<name.utf8CodeUnitCount).allSatisfy({ text.byte(index + $0) == name.utf8Start[$0] }) {
            return (.ascii(byte), name.utf8CodeUnitCount)
        }
        return (.itself, 1)
    }

    /// Reads an escape such as `\"`, `\n`, `\u003c` or `\x3c`. JSON within JSON doubles its backslashes, so any number
    /// of them stands for one.
    private static func escape(_ text: UnsafeRawBufferPointer, at index: Int) -> (Meaning, length: Int) {
        var kind = index + 1
        while text.byte(kind) == UInt8(ascii: "\\") { kind += 1 }
        let escaped: (value: UInt32?, end: Int)
        switch text.byte(kind) {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "/"):
            return (.ascii(text.byte(kind)), kind + 1 - index)
        case UInt8(ascii: "n"), UInt8(ascii: "r"): return (.ascii(UInt8(ascii: "\n")), kind + 1 - index)
        case UInt8(ascii: "t"): return (.ascii(UInt8(ascii: " ")), kind + 1 - index)
        case UInt8(ascii: "u"): escaped = unicode(text, from: kind + 1)
        case UInt8(ascii: "x"): escaped = digits(text, from: kind + 1, count: 2)
        // The next byte may begin something else that has another spelling.
        default: return (.itself, kind - index)
        }
        guard let value = escaped.value else { return (.itself, kind - index) }
        return (meaning(ofNumber: value), escaped.end - index)
    }

    /// Reads what follows `\u`: four digits, two such escapes for a surrogate pair, or digits in braces.
    private static func unicode(_ text: UnsafeRawBufferPointer, from start: Int) -> (value: UInt32?, end: Int) {
        if text.byte(start) == UInt8(ascii: "{") {
            let (value, end) = number(text, from: start + 1, radix: 16, most: 6)
            return text.byte(end) == UInt8(ascii: "}") ? (value, end + 1) : (nil, start)
        }
        let (first, end) = digits(text, from: start, count: 4)
        guard let first, first & 0xFC00 == 0xD800 else { return (first, end) }
        var next = end
        while text.byte(next) == UInt8(ascii: "\\") { next += 1 }
        guard next > end, text.byte(next) == UInt8(ascii: "u") else { return (first, end) }
        let (second, last) = digits(text, from: next + 1, count: 4)
        guard let second, second & 0xFC00 == 0xDC00 else { return (first, end) }
        return (0x10000 + (first & 0x3FF) << 10 + second & 0x3FF, last)
    }

    /// Reads exactly `count` hexadecimal digits.
    private static func digits(
        _ text: UnsafeRawBufferPointer, from start: Int, count: Int
    ) -> (value: UInt32?, end: Int) {
        let (value, end) = number(text, from: start, radix: 16, most: count)
        return (end == start + count ? value : nil, end)
    }

    /// Reads at most `most` digits. Returns the number, nil if there is no digit, and the index after the last one.
    private static func number(
        _ text: UnsafeRawBufferPointer, from start: Int, radix: UInt32, most: Int
    ) -> (UInt32?, end: Int) {
        var value: UInt32 = 0
        var end = start
        while end < start + most {
            let byte = text.byte(end)
            let digit =
                switch byte {
                case 0x30...0x39: UInt32(byte) - 0x30
                case 0x41...0x46, 0x61...0x66: UInt32(byte | 0x20) - 0x57
                default: UInt32.max
                }
            guard digit < radix else { break }
            value = value * radix + digit
            end += 1
        }
        return (end > start ? value : nil, end)
    }
}
