/// A value of a log field.
enum LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    case text(String)
    case number(Int)

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(value) }

    /// As JSON.
    var json: String {
        switch self {
        case .text(let text): Log.quoted(text)
        case .number(let number): String(number)
        }
    }
}
