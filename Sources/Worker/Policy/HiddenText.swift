/// Finds what a person does not see and a model reads, and sequences that make a terminal do more than colour.
enum HiddenText {
    /// Invisible characters that follow each other.
    private struct Run {
        /// Where the last one ended.
        var end = -1
        /// Zero-width characters and variation selectors.
        var length = 0
        var selectors = 0
        var tags = 0
        /// The tags spell the region of a flag emoji.
        var isFlag = false
    }

    /// One zero-width character or selector shapes an emoji or a word, two follow each other in emoji; three are no text.
    private static let longestRun = 2
    /// `gbeng` and its end, Unicode Technical Standard 51, annex C.
    private static let longestFlag = 6

    static func search(_ text: UnsafeRawBufferPointer) -> InjectionCategories {
        var found: InjectionCategories = []
        var run = Run()
        var flagEnd = -1
        var index = 0
        while index < text.count {
            if isPlain(text, at: index) {
                index += 8
                continue
            }
            let byte = text[index]
            switch byte {
            case 0x1B:
                let (end, isHarmful) = escape(text, at: index)
                if isHarmful { found.formUnion(.terminalEscapes) }
                index = end
            case ..<0xC2: index += 1
            case 0xC2:
                if isControl(text, at: index) { found.formUnion(.terminalEscapes) }
                index += 2
            case 0xC3..<0xE1: index += byte < 0xE0 ? 2 : 3
            case 0xE1, 0xE2, 0xEF:
                if isInvisible(text, at: index, scalar: scalar(text, at: index, length: 3), &run, flagEnd: -1) {
                    found.formUnion(.invisibleUnicode)
                }
                index += 3
            case 0xE3..<0xF0: index += 3
            default:
                let scalar = scalar(text, at: index, length: 4)
                if isInvisible(text, at: index, scalar: scalar, &run, flagEnd: flagEnd) {
                    found.formUnion(.invisibleUnicode)
                }
                index += 4
                if scalar == 0x1F3F4 { flagEnd = index }
            }
        }
        return found
    }

    /// Eight bytes of ASCII without an escape.
    private static func isPlain(_ text: UnsafeRawBufferPointer, at index: Int) -> Bool {
        guard index + 8 <= text.count else { return false }
        let word = text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        let escapes = word ^ 0x1B1B_1B1B_1B1B_1B1B
        return (word | ((escapes &- 0x0101_0101_0101_0101) & ~escapes)) & 0x8080_8080_8080_8080 == 0
    }

    /// 0 behind the end, where nothing begins.
    private static func byte(_ text: UnsafeRawBufferPointer, _ index: Int) -> UInt8 {
        index < text.count ? text[index] : 0
    }

    private static func scalar(_ text: UnsafeRawBufferPointer, at index: Int, length: Int) -> UInt32 {
        var value = UInt32(text[index]) & (length == 3 ? 0x0F : 0x07)
        for offset in 1..<length { value = value << 6 | UInt32(byte(text, index + offset) & 0x3F) }
        return value
    }

    private static func isInvisible(
        _ text: UnsafeRawBufferPointer, at index: Int, scalar: UInt32, _ run: inout Run, flagEnd: Int
    ) -> Bool {
        let length = scalar < 0x10000 ? 3 : 4
        switch scalar {
        case 0x202A...0x202E, 0x2066...0x2069: return true
        case 0x180E, 0x200B...0x200F, 0x2060...0x2064, 0xFEFF, 0xFE00...0xFE0F, 0xE0100...0xE01EF, 0xE0000...0xE007F:
            break
        default: return false
        }
        if run.end != index {
            run = Run()
            run.isFlag = index == flagEnd
        }
        run.end = index + length
        switch scalar {
        case 0xE0000...0xE007F:
            run.tags += 1
            return !run.isFlag || run.tags > longestFlag
        case 0xFE00...0xFE0F, 0xE0100...0xE01EF: run.selectors += 1
        default: break
        }
        run.length += 1
        return run.length > longestRun || run.selectors > 1
    }

    /// A control of C1 that begins a sequence as ESC does. Alone it is what a text in two wrong encodings has.
    private static func isControl(_ text: UnsafeRawBufferPointer, at index: Int) -> Bool {
        let next = byte(text, index + 2)
        switch byte(text, index + 1) {
        case 0x9B: return (0x30...0x3F).contains(next) && controlSequence(text, from: index + 2).isHarmful
        case 0x9D: return (0x30...0x39).contains(next)
        default: return false
        }
    }

    /// The sequence at an ESC, ECMA-48: where it ends, and whether it does more than colour or erase a line's rest.
    private static func escape(_ text: UnsafeRawBufferPointer, at index: Int) -> (end: Int, isHarmful: Bool) {
        switch byte(text, index + 1) {
        case UInt8(ascii: "["): return controlSequence(text, from: index + 2)
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "c"), UInt8(ascii: "M"), UInt8(ascii: "7"), UInt8(ascii: "8"):
            return (index + 2, true)
        default: return (index + 1, false)
        }
    }

    private static func controlSequence(
        _ text: UnsafeRawBufferPointer, from start: Int
    ) -> (end: Int, isHarmful: Bool) {
        var end = start
        while (0x20...0x3F).contains(byte(text, end)) { end += 1 }
        switch byte(text, end) {
        case UInt8(ascii: "m"): return (end + 1, conceals(text[start..<end]))
        case UInt8(ascii: "K"): return (end + 1, false)
        case 0x40...0x7E: return (end + 1, true)
        default: return (end, false)
        }
    }

    /// Whether a colour sequence has 8, which hides text; not as part of a colour's number.
    private static func conceals(_ parameters: Slice<UnsafeRawBufferPointer>) -> Bool {
        var ofColour = 0
        var isKind = false
        for parameter in parameters.split(whereSeparator: { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ":") }) {
            let text = String(decoding: parameter, as: UTF8.self)
            if isKind {
                isKind = false
                ofColour = text == "5" ? 1 : text == "2" ? 3 : 0
            } else if ofColour > 0 {
                ofColour -= 1
            } else if text == "38" || text == "48" || text == "58" {
                isKind = true
            } else if Int(text) == 8 {
                return true
            }
        }
        return false
    }
}
