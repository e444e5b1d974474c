/// Finds text that a model reads and a person does not see, and sequences that make a terminal do more than show
/// colours.
enum HiddenText {
    /// Invisible characters that follow each other directly.
    private struct Run {
        /// How many zero-width characters and variation selectors text needs in a row: one shapes an emoji or a word,
        /// and in emoji two follow each other.
        private static let longest = 2
        /// How many tags a flag emoji has: `gbeng` and the end tag, Unicode Technical Standard 51, annex C.
        private static let longestFlag = 6

        /// Index after the last character of the run.
        private(set) var end = -1
        /// How many zero-width characters and variation selectors the run has.
        private var length = 0
        private var selectors = 0
        private var tags = 0
        /// Whether the run follows the emoji of a black flag, so that its tags spell the flag's region.
        private var isFlag = false
        /// Whether one ASCII letter stands between this run and the one before it.
        private var isBehindLetter = false

        /// Adds an invisible character to the run. Returns whether no text needs it at this place.
        mutating func isSuspect(
            _ scalar: UInt32, _ text: UnsafeRawBufferPointer, at index: Int, _ size: Int, flagEnd: Int
        ) -> Bool {
            if end != index {
                let isBehindLetter = end >= 0 && end + 1 == index && text.byte(end).isASCIILetter
                self = Run()
                isFlag = index == flagEnd
                self.isBehindLetter = isBehindLetter
            }
            end = index + size
            switch scalar {
            case 0x202A...0x202E, 0x2066...0x2069, 0xE0080...0xE00FF, 0xE01F0...0xE0FFF: return true
            case 0xE0000...0xE007F:
                tags += 1
                return !isFlag || tags > Self.longestFlag
            case 0xFE00...0xFE0F, 0xE0100...0xE01EF:
                selectors += 1
                if selectors == 1, !scalar.isSelector(of: text.scalar(before: index)) { return true }
            default: break
            }
            length += 1
            return length > Self.longest || selectors > 1 || splitsWord(scalar, text, at: index)
        }

        /// Whether the character stands in a word of ASCII letters that does not need it. A soft hyphen, a zero-width
        /// space and a zero-width non-joiner tell where such a word may be broken or its letters not be joined, but
        /// not on both sides of one letter.
        private func splitsWord(_ scalar: UInt32, _ text: UnsafeRawBufferPointer, at index: Int) -> Bool {
            guard index > 0, text[index - 1].isASCIILetter, text.byte(end).isASCIILetter else { return false }
            switch scalar {
            case 0xAD, 0x200B, 0x200C: return isBehindLetter
            default: return true
            }
        }
    }

    /// Lead bytes of what is searched for.
    private static let scan = ByteScan {
        [0x1B, 0xC2, 0xCD, 0xD8, 0xE1, 0xE2, 0xE3, 0xEF, 0xF0, 0xF3].contains($0)
    }

    static func search(_ text: UnsafeRawBufferPointer) -> InjectionCategories {
        var found: InjectionCategories = []
        var run = Run()
        var flagEnd = -1
        var index = scan.next(in: text, from: 0)
        while index < text.count {
            let start = index
            switch text[start] {
            case 0x1B:
                let (end, isHarmful) = escape(text, at: start)
                if isHarmful { found.formUnion(.terminalEscapes) }
                index = end
            default:
                if isControl(text, at: start) { found.formUnion(.terminalEscapes) }
                let (scalar, length) = text.scalar(at: start)
                if scalar.isInvisible, run.isSuspect(scalar, text, at: start, length, flagEnd: flagEnd) {
                    found.formUnion(.invisibleUnicode)
                }
                index += length
                if scalar == 0x1F3F4 { flagEnd = index }
            }
            index = scan.next(in: text, from: index)
        }
        return found
    }

    /// Whether a C1 control character begins a harmful sequence, as ESC does. Text that was decoded with a wrong
    /// encoding has such characters alone.
    private static func isControl(_ text: UnsafeRawBufferPointer, at index: Int) -> Bool {
        guard text[index] == 0xC2 else { return false }
        let next = text.byte(index + 2)
        switch text.byte(index + 1) {
        case 0x9B: return (0x30...0x3F).contains(next) && controlSequence(text, from: index + 2).isHarmful
        case 0x9D: return (0x30...0x39).contains(next)
        default: return false
        }
    }

    /// Reads the sequence at an ESC, ECMA-48. Returns where it ends, and whether it does more than set colours or erase
    /// the rest of a line.
    static func escape(_ text: UnsafeRawBufferPointer, at index: Int) -> (end: Int, isHarmful: Bool) {
        switch text.byte(index + 1) {
        case UInt8(ascii: "["): return controlSequence(text, from: index + 2)
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "c"), UInt8(ascii: "M"), UInt8(ascii: "7"), UInt8(ascii: "8"):
            return (index + 2, true)
        default: return (index + 1, false)
        }
    }

    /// Reads a control sequence from its parameters on.
    private static func controlSequence(
        _ text: UnsafeRawBufferPointer, from start: Int
    ) -> (end: Int, isHarmful: Bool) {
        var end = start
        while (0x20...0x3F).contains(text.byte(end)) { end += 1 }
        switch text.byte(end) {
        case UInt8(ascii: "m"): return (end + 1, conceals(text, start..<end))
        case UInt8(ascii: "K"): return (end + 1, false)
        case 0x40...0x7E: return (end + 1, true)
        default: return (end, false)
        }
    }

    /// Whether a colour sequence has the parameter 8, which hides text. An 8 in the number of a colour does not count.
    private static func conceals(_ text: UnsafeRawBufferPointer, _ parameters: Range<Int>) -> Bool {
        var ofColour = 0
        var isKind = false
        var number = 0
        for index in parameters.lowerBound...parameters.upperBound {
            let byte = text.byte(index)
            if (0x30...0x39).contains(byte), index < parameters.upperBound {
                number = min(1000, number * 10 + Int(byte - 0x30))
                continue
            }
            if isKind {
                isKind = false
                ofColour = number == 5 ? 1 : number == 2 ? 3 : 0
            } else if ofColour > 0 {
                ofColour -= 1
            } else if number == 38 || number == 48 || number == 58 {
                isKind = true
            } else if number == 8 {
                return true
            }
            number = 0
        }
        return false
    }
}

extension UInt8 {
    /// Whether it is an ASCII letter.
    fileprivate var isASCIILetter: Bool { (0x61...0x7A).contains(self | 0x20) }
}

extension UInt32 {
    /// Whether Unicode knows the variation selector behind this character, by the blocks that have variants: the
    /// emoji's and symbols' two, a slashed zero, those of ideographs, and others' first ones.
    fileprivate func isSelector(of base: UInt32?) -> Bool {
        // A text may be cut between the two.
        guard let base else { return true }
        let isIdeograph =
            switch base {
            case 0x3400...0x9FFF, 0xF900...0xFAFF, 0x20000...0x3FFFF: true
            default: false
            }
        switch self {
        case 0xE0100...0xE01EF: return isIdeograph
        case 0xFE0E, 0xFE0F:
            // Digits, # and * are keycaps. Where an emoji was taken out of a text, its selector stands alone.
            return base >= 0x80 || !UInt8(truncatingIfNeeded: base).isASCIILetter
        default: return base == 0x30 || (base >= 0x80 && base < 0x1F000) || isIdeograph
        }
    }
}
