"""The GLSL programs of render.py: people moved by bones, textured solids, light and shadow."""

LIGHT = """
uniform sampler2DShadow shadow_map;
uniform sampler2D noise;
uniform vec3 to_light, light_colour, sky, ground;
uniform vec4 contacts[24];  // points near a surface, w = radius of the darkness around it
uniform int contact_count;
uniform vec3 eye;

float sunlit(vec4 place, float slope) {
    vec3 p = place.xyz / place.w * 0.5 + 0.5;
    if (any(lessThan(p, vec3(0))) || any(greaterThan(p, vec3(1)))) return 1.0;
    p.z -= 0.0015 + 0.003 * slope;
    vec2 texel = 0.8 / vec2(textureSize(shadow_map, 0));
    float sum = texture(shadow_map, vec3(p.xy + texel, p.z));
    sum += texture(shadow_map, vec3(p.xy - texel, p.z));
    sum += texture(shadow_map, vec3(p.xy + vec2(texel.x, -texel.y), p.z));
    sum += texture(shadow_map, vec3(p.xy + vec2(-texel.x, texel.y), p.z));
    return sum / 4.0;
}

float open_sky(vec3 world, vec3 normal) {
    float open = 1.0;
    if (world.y > 0.5) return open;
    for (int i = 0; i < contact_count; ++i) {
        vec3 way = contacts[i].xyz - world;
        float facing = max(dot(normal, normalize(way + normal * 0.02)), 0.0);
        float near = dot(way, way) / (contacts[i].w * contacts[i].w);
        open *= 1.0 - 0.55 * facing * exp(-near);
    }
    return open;
}

vec3 lit(vec3 albedo, vec3 normal, vec3 world, vec4 in_light, float shine) {
    float facing = dot(normal, to_light);
    float direct = max(facing, 0.0) * sunlit(in_light, 1.0 - facing);
    float open = open_sky(world, normal);
    vec3 around = mix(ground, sky, normal.y * 0.5 + 0.5) * open;
    vec3 half_way = normalize(to_light + normalize(eye - world));
    float gloss = shine * pow(max(dot(normal, half_way), 0.0), 24.0) * direct;
    vec3 linear = albedo * (light_colour * direct + around) + light_colour * gloss;
    return pow(linear / (1.0 + 0.25 * linear), vec3(1.0 / 2.2));
}
"""

MOVED = """
#version 330
layout(std140) uniform Bones { vec4 rows[312]; };
uniform mat4 to_clip, to_light_clip;
uniform float inflate;
in vec3 point, normal;
in ivec4 bones;
in vec4 weights, place;
out vec3 world, world_normal, rest, rest_normal;
out vec4 at, in_light;

void main() {
    vec4 start = vec4(point + normal * inflate, 1.0);
    vec3 moved = vec3(0), turned = vec3(0);
    for (int i = 0; i < 4; ++i) {
        int row = 3 * bones[i];
        mat3 turn = mat3(rows[row].xyz, rows[row + 1].xyz, rows[row + 2].xyz);
        vec4 x = rows[row], y = rows[row + 1], z = rows[row + 2];
        moved += weights[i] * vec3(dot(x, start), dot(y, start), dot(z, start));
        turned += weights[i] * (normal * turn);
    }
    world = moved;
    world_normal = turned;
    rest = point;
    rest_normal = normal;
    at = place;
    in_light = to_light_clip * vec4(moved, 1.0);
    gl_Position = to_clip * vec4(moved, 1.0);
}
"""

REGION = """
bool inside(vec4 at, vec2 region[4]) {
    bool hair = at.w >= region[3].x && at.w < region[3].y;
    if (at.x > 0.02) return hair && at.x >= region[0].x && at.x < region[0].y;
    return hair && at.y >= region[1].x && at.y < region[1].y
        && at.z >= region[2].x && at.z < region[2].y;
}
"""

CLOTH = (
    '#version 330\n'
    + LIGHT
    + REGION
    + """
uniform vec2 region[4];
uniform sampler2D fabric;
uniform vec2 repeat;
uniform float shine, wrinkle;
in vec3 world, world_normal, rest, rest_normal;
in vec4 at, in_light;
out vec4 colour;

void main() {
    if (!inside(at, region)) discard;
    vec2 where = vec2(rest.x + 0.7 * rest.z, -rest.y);
    vec2 fold = texture(noise, where * vec2(1.9, 1.1)).xy + texture(noise, where * 4.7).xy - 1.0;
    vec3 n = normalize(world_normal);
    if (dot(n, eye - world) < 0.0) n = -n;
    n = normalize(n + wrinkle * vec3(fold.x, 0.4 * fold.y, fold.y));
    vec3 albedo = pow(texture(fabric, where * repeat).rgb, vec3(2.2));
    albedo *= 1.0 + 0.5 * wrinkle * (fold.x + fold.y);
    colour = vec4(lit(albedo, n, world, in_light, shine), 1.0);
}
"""
)

SKIN = (
    '#version 330\n'
    + LIGHT
    + REGION
    + """
uniform vec2 cover_a[4], cover_b[4], cover_c[4];
uniform vec3 skin, hair;
uniform vec3 left_eye, nose;  // at rest
uniform float brows;
in vec3 world, world_normal, rest, rest_normal;
in vec4 at, in_light;
out vec4 colour;

float spot(vec2 p, vec2 centre, vec2 radius) {
    vec2 d = (p - centre) / radius;
    return exp(-dot(d, d));
}

void main() {
    vec4 core = at;
    if (inside(core, cover_a) || inside(core, cover_b) || inside(core, cover_c)) discard;
    vec2 face = vec2(abs(rest.x), rest.y);
    float front = smoothstep(0.01, 0.05, rest.z - left_eye.z + 0.05) * step(0.9, at.z);
    float size = left_eye.x / 0.03;
    float brow = spot(face, left_eye.xy + size * vec2(0.002, 0.023), size * vec2(0.022, 0.005));
    float lips = spot(face, vec2(0.0, nose.y - 0.038 * size), size * vec2(0.022, 0.007));
    float cheek = spot(face, vec2(0.04, nose.y - 0.005) * size, size * vec2(0.03, 0.03));
    float socket = spot(face, left_eye.xy, size * vec2(0.022, 0.012));
    vec3 albedo = skin * (0.94 + 0.12 * texture(noise, rest.xy * 3.0).x);
    albedo = mix(albedo, albedo * vec3(1.1, 0.8, 0.75), 0.5 * cheek * front);
    albedo = mix(albedo, albedo * vec3(0.85, 0.45, 0.45), lips * front);
    albedo = mix(albedo, albedo * 0.7, 0.6 * socket * front);
    albedo = mix(albedo, hair * 0.7, brows * brow * front);
    vec3 n = normalize(world_normal);
    colour = vec4(lit(albedo, n, world, in_light, 0.06), 1.0);
}
"""
)

EYE = (
    '#version 330\n'
    + LIGHT
    + """
uniform vec3 left_eye, iris;
in vec3 world, world_normal, rest, rest_normal;
in vec4 at, in_light;
out vec4 colour;

void main() {
    vec2 d = vec2(abs(rest.x), rest.y) - left_eye.xy;
    float r = length(d) / (0.2 * left_eye.x);
    vec3 albedo = mix(iris, vec3(0.75), smoothstep(0.85, 1.05, r)) * smoothstep(0.2, 0.5, r);
    colour = vec4(lit(albedo, normalize(world_normal), world, in_light, 0.5), 1.0);
}
"""
)

SOLID_VERTEX = """
#version 330
uniform mat4 to_clip, to_light_clip;
in vec3 point, normal;
in vec2 uv;
out vec3 world, world_normal;
out vec2 where;
out vec4 in_light;

void main() {
    world = point;
    world_normal = normal;
    where = uv;
    in_light = to_light_clip * vec4(point, 1.0);
    gl_Position = to_clip * vec4(point, 1.0);
}
"""

SOLID = (
    '#version 330\n'
    + LIGHT
    + """
uniform sampler2D image;
uniform float shine;
in vec3 world, world_normal;
in vec2 where;
in vec4 in_light;
out vec4 colour;

void main() {
    vec3 n = normalize(world_normal);
    if (dot(n, eye - world) < 0.0) n = -n;
    vec3 albedo = pow(texture(image, where).rgb, vec3(2.2));
    albedo *= 0.85 + 0.3 * texture(noise, where * 0.13).x;
    colour = vec4(lit(albedo, n, world, in_light, shine), 1.0);
}
"""
)

SHADE_ON_PHOTOGRAPH = (
    '#version 330\n'
    + LIGHT
    + """
in vec3 world, world_normal;
in vec2 where;
in vec4 in_light;
out vec4 colour;

void main() {
    float direct = to_light.y * sunlit(in_light, 0.2);
    vec3 all = light_colour * to_light.y + sky;
    vec3 left = light_colour * direct + sky * open_sky(world, vec3(0, 1, 0));
    float share = dot(left, vec3(1)) / dot(all, vec3(1));
    colour = vec4(vec3(0), 1.0 - pow(share, 1.0 / 2.2));
}
"""
)

PHOTOGRAPH_VERTEX = """
#version 330
in vec2 corner;
uniform mat3 window;  // of the picture's corners (-1 .. 1) in the photograph (0 .. 1)
out vec2 where;

void main() {
    where = (window * vec3(corner, 1.0)).xy;
    gl_Position = vec4(corner, 0.999999, 1.0);
}
"""

PHOTOGRAPH = """
#version 330
uniform sampler2D image;
in vec2 where;
out vec4 colour;

void main() {
    colour = vec4(texture(image, where).rgb, 1.0);
}
"""

NOTHING = """
#version 330
void main() {
}
"""

CUT_OUT = (
    '#version 330\n'
    + REGION
    + """
uniform vec2 region[4];
in vec4 at;

void main() {
    if (!inside(at, region)) discard;
}
"""
)
