"""Handwritten replies of an instruct model to ``HumanEval_23_strlen`` and ``HumanEval_53_add``.

Keys: language, then the way the reply is put. All are right programs.
"""

FENCED_PY = '''\
Here is the function:

```python
from __future__ import annotations

def strlen(string: str) -> int:
    """Length."""
    return count(string)

def count(text):
    return sum(1 for _ in text)

print(strlen("abc"))
assert strlen("wrong") == 99
for word in ["a"]:
    print(strlen(word))
if __name__ == "__main__":
    strlen("x")
```
It counts the characters.
'''

BODY_PY = "```python\nreturn len(string)\n```"

REPLIES: dict[str, dict[str, str]] = {
    "py": {"program with usage": FENCED_PY, "body alone": BODY_PY},
    "cpp": {
        "program with main": """```cpp
#include <iostream>
#include <string>

long string_length(std::string string) {
    long n = 0;
    for (char c : string) { if (c == '}' || c != '{') { n++; } }
    return n; // "}" counts too
}

int main() {
    std::cout << string_length("abc") << std::endl;
    return 0;
}
```""",
        "function alone": "long string_length(std::string string) { return string.length(); }",
        "body alone": "```\n    return string.length();\n}\n```",
        "body without brace": "```\n    return string.length();\n```",
    },
    "java": {
        "class with main": """```java
import java.util.*;

public class Solution {
    private static long one(char c) { return c == '}' ? 1 : 1; }

    public static void main(String[] args) {
        System.out.println(strlen("abc"));
    }

    public static long strlen(String string) {
        long n = 0;
        for (char c : string.toCharArray()) {
            n += one(c);
        }
        return n;
    }
}
```""",
        "method alone": """```java
import java.util.function.*;

public static long strlen(String string) {
    return string.length();
}
```""",
        "body alone": "```java\n        return string.length();\n    }\n```",
    },
    "js": {
        "function with usage": """```javascript
const assert = require('assert');
function strlen(string) {
  return [...string].reduce(n => n + 1, 0);
}

console.log(strlen('a}'));
assert.strictEqual(strlen('abc'), 99);
module.exports = { strlen };
```""",
        "arrow": "```js\nexport const strlen = (string) => {\n  return string.length;\n};\n```",
        "body alone": "```js\n  return string.length;\n}\n```",
        "body without brace": "```js\n  return string.length;\n```",
    },
    "ts": {
        "function with usage": """```typescript
export function strlen(string: string): number {
  return string.length;
}
console.log(strlen("abc"));
```""",
        "body alone": "```ts\n  return string.length;\n}\n```",
    },
    "sh": {
        "function with usage": """```bash
#!/bin/bash
strlen() {
    local text="$1"  # don't trim }
    echo "${#text}"
}

strlen "abc"
```""",
        "body alone": '```bash\n    echo "${#1}"\n}\n```',
    },
    "rs": {
        "function with main": """```rust
use std::fmt;

fn strlen(string: String) -> isize {
    one(&string)
}

fn one<'a>(text: &'a str) -> isize {
    text.chars().filter(|c| *c != '}' || true).count() as isize
}

fn main() {
    println!("{}", strlen(String::from("abc")));
}

#[cfg(test)]
mod tests {
    #[test]
    fn works() { assert_eq!(1, 2); }
}
```""",
        "body alone": "```rust\n    string.len() as isize\n}\n```",
    },
    "go": {
        "program with main": """```go
package main

import "fmt"
import (
    "strings"
)

func strlen(myString string) int {
    return strings.Count(myString, "") - 1
}

func main() {
    fmt.Println(strlen("abc"))
}
```""",
        "body alone": "```go\n    return len(myString)\n}\n```",
    },
    "php": {
        "function with usage": """```php
<?php
function add($x, $y) {
    return sum([$x, $y]); # }
}
echo add(1, 2);
function sum($numbers) {
    return array_sum($numbers);
}
?>
```""",
        "function alone": "```php\nfunction add($x, $y) {\n    return $x + $y;\n}\n```",
    },
    "cs": {
        "class with main": """```csharp
using System;

public class Program
{
    public static long Strlen(string str)
    {
        return str.Length;
    }

    static void Main(string[] args)
    {
        Console.WriteLine(Strlen("abc"));
    }
}
```""",
    },
    "scala": {
        "object with main": """```scala
object Main {
  def strlen(string: String): Long = {
    string.length
  }

  def main(args: Array[String]): Unit = {
    println(strlen("abc"))
  }
}
```""",
    },
    "swift": {
        "function with usage": """```swift
func strlen(string: String) -> Int {
    return string.count
}

print(strlen(string: "abc"))
```""",
    },
}
PROBLEMS = dict.fromkeys(REPLIES, "HumanEval_23_strlen") | {"php": "HumanEval_53_add"}
